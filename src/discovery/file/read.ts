// What the files of one namespace say, told to a roster. A file that is no card is skipped with one line in the log; it may be one later.
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { log } from '../../lib/log.ts'
import type { Card } from '../discovery.ts'
import { readCard } from '../kept-discovery.ts'
import type { Roster } from '../roster.ts'
import { beatFile, bye, cardFile, readBeat } from './layout.ts'

/** A heartbeat written so recently by this machine's clock is believed at once; an older one only when it changes. */
const freshMs = 1000
/** Far more than any card has; what is bigger is none, and would only fill the memory. */
const maxBytes = 8 << 20

export class CardFiles {
  private readonly base: string
  private readonly namespace: string
  private readonly roster: Roster
  /** File name → what was read from its card. */
  private readonly known = new Map<string, { id: string; version: string }>()
  private readonly byes = new Map<string, number>()
  private readonly complained = new Set<string>()

  constructor(base: string, namespace: string, roster: Roster) {
    this.base = base
    this.namespace = namespace
    this.roster = roster
  }

  /** Reads the heartbeat, and the card if it is another than the known one. Never rejects. */
  async read(name: string): Promise<void> {
    const line = await this.text(beatFile(name), this.known.has(name))
    if (line === undefined) return
    const beat = readBeat(line)
    if (beat === undefined) return this.complain(beatFile(name), 'not a heartbeat')
    const known = this.known.get(name)
    if (beat.version === bye) {
      if (known !== undefined) this.roster.removed(known.id)
      this.known.delete(name)
      if (!this.byes.has(name)) this.byes.set(name, performance.now())
      return
    }
    this.byes.delete(name)
    const sign = `${beat.version} ${beat.count}`
    if (known?.version === beat.version && this.roster.beat(known.id, sign)) return
    const text = await this.text(cardFile(name))
    if (text === undefined) return
    const card = parse(text)
    if (card === undefined || card.namespace !== this.namespace) return this.complain(cardFile(name), 'not a card of this namespace')
    this.complained.delete(cardFile(name))
    this.known.set(name, { id: card.id, version: card.version })
    const shown: Card = { id: card.id, kind: card.kind, namespace: card.namespace, body: card.body }
    if (known !== undefined || (await this.fresh(name))) this.roster.seen(shown, sign)
    else this.roster.doubted(shown, sign)
  }

  /** Names of what may be removed: dead for `deadMs`, withdrawn for `byeMs`. They are forgotten here. */
  left(deadMs: number, byeMs: number): string[] {
    const dead = new Set(this.roster.forgotten(deadMs))
    const names = [...this.known].filter(([, card]) => dead.has(card.id)).map(([name]) => name)
    for (const name of names) this.known.delete(name)
    for (const id of dead) this.roster.removed(id)
    const gone = [...this.byes].filter(([, since]) => performance.now() - since >= byeMs).map(([name]) => name)
    for (const name of gone) this.byes.delete(name)
    return [...names, ...gone]
  }

  private async fresh(name: string): Promise<boolean> {
    const written = await stat(join(this.base, beatFile(name))).catch(() => undefined) // Gone in the meantime: not fresh.
    return written !== undefined && Math.abs(Date.now() - written.mtimeMs) < freshMs
  }

  /** Undefined when there is no such file, or it cannot be read. A pipe or a device would never come to an end: `trusted` files were read before. */
  private async text(file: string, trusted = false): Promise<string | undefined> {
    const path = join(this.base, file)
    try {
      if (!trusted) {
        const about = await stat(path)
        if (!about.isFile() || about.size > maxBytes) return this.complain(file, about.isFile() ? `${about.size} bytes` : 'no plain file')
      }
      return await readFile(path, 'utf8')
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      if (code !== 'ENOENT') this.complain(file, message)
      return undefined
    }
  }

  private complain(file: string, reason: string): undefined {
    if (!this.complained.has(file)) log.warn({ file: join(this.base, file), reason }, 'a file in the discovery folder is skipped')
    this.complained.add(file)
  }
}

function parse(text: string): (Card & { version: string }) | undefined {
  try {
    const value: unknown = JSON.parse(text)
    const card = readCard(value)
    const version = (value as { version?: unknown }).version
    return card === undefined || typeof version !== 'string' ? undefined : { ...card, version }
  } catch {
    return undefined // Half written or not JSON: the caller says so once.
  }
}
