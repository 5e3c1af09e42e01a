// What tests of discovery share: a watcher that checks every change it hears, and announcers in processes of their own.
import { join } from 'node:path'
import type { Card, CardChange, Discovery } from '../../src/discovery/discovery.ts'
import type { DiscoveryOptions } from '../../src/discovery/options.ts'
import { eventually } from './processes/start.ts'

export interface Heard {
  /** Each change as `kind id`, in order. */
  readonly lines: string[]
  /** The cards that are there now. */
  readonly cards: Map<string, Card>
  /** What the seam forbids: a second `added`, a `gone` of what is not there, a `changed` without a change. */
  readonly wrong: string[]
  stop(): void
}

export async function listen(discovery: Discovery, namespace: string): Promise<Heard> {
  const heard = { lines: [] as string[], cards: new Map<string, Card>(), wrong: [] as string[] }
  const hear = ({ kind, card }: CardChange) => {
    const line = `${kind} ${card.id}`
    heard.lines.push(line)
    const known = heard.cards.get(card.id)
    if ((known !== undefined) === (kind === 'added')) heard.wrong.push(line)
    if (kind === 'changed' && JSON.stringify(known?.body) === JSON.stringify(card.body)) heard.wrong.push(line)
    if (card.namespace !== namespace) heard.wrong.push(`${line} of ${card.namespace}`)
    if (kind === 'gone') heard.cards.delete(card.id)
    else heard.cards.set(card.id, card)
  }
  return { ...heard, stop: await discovery.watch(namespace, hear) }
}

export const cardOf = (id: string, body: Card['body'] = {}, namespace = 'ns'): Card => ({ id, kind: 'worker', namespace, body })

export interface OtherProcess {
  kill(signal: NodeJS.Signals): void
  readonly lines: string[]
}

/** Resolves when its cards can be seen. `command` is another program than bun with the sources (the compiled one). */
export async function announceElsewhere(options: DiscoveryOptions, cards: readonly Card[], command?: string[]): Promise<OtherProcess> {
  const other = spawn(
    options,
    cards.map((card) => JSON.stringify(card)),
    command,
  )
  await eventually('the other process shows its cards', () => other.lines.includes('shown'))
  return other
}

export function spawn(options: DiscoveryOptions, args: readonly string[], command?: string[]): OtherProcess {
  const program = command ?? [process.execPath, join(import.meta.dir, 'processes/announcer.ts')]
  const child = Bun.spawn([...program, JSON.stringify(options), ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines: string[] = []
  void (async () => {
    let rest = ''
    const decoder = new TextDecoder()
    for await (const chunk of child.stdout) {
      const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n')
      rest = parts.pop()!
      lines.push(...parts)
    }
  })()
  return { kill: (signal) => child.kill(signal), lines }
}
