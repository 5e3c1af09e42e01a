// The encoder's process from outside: started, spoken to, and gone.
import { log } from '../../../lib/log.ts'
import { listenForLife } from './life.ts'
import { type FromProcess, frame, messages, type ToProcess } from './messages.ts'

export interface TowerProcess {
  readonly pid: number
  /** Resolves once the pipe has taken it. Never rejects: a process that is gone shows by `exited`. */
  send(message: ToProcess, body?: readonly Uint8Array[]): Promise<void>
  /** Resolves with what to tell people. */
  readonly exited: Promise<string>
  /** When it last showed life; undefined before its first sign. */
  readonly heardAt: number | undefined
  /** At once: it keeps nothing that would have to be saved. */
  kill(): void
}

const keptLines = 5

/** `hear` gets each message in order, synchronously. Throws when the command cannot be run. */
export function startProcess(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
  hear: (head: FromProcess, body: Uint8Array) => void,
): TowerProcess {
  const child = Bun.spawn([...command], {
    // The official build of ONNX Runtime sends statistics to its makers unless it is told not to.
    env: { ...env, ORT_DISABLE_TELEMETRY: '1' },
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
  })
  const lines: string[] = []
  let silent = false
  const life = listenForLife(child.stdio[3] as number, () => {
    silent = true
    child.kill('SIGKILL')
  })
  const errors = readLines(child.stderr, (line) => {
    lines.push(line)
    if (lines.length > keptLines) lines.shift()
    // Its own log lines are ours already; the rest is what libraries say.
    if (line.startsWith('{"level"')) process.stderr.write(`${line}\n`)
    else log.info({ pid: child.pid, line }, 'vision encoder')
  })
  const heard = (async () => {
    try {
      for await (const { head, body } of messages<FromProcess>(child.stdout)) hear(head, body)
    } catch (err) {
      log.error({ err }, 'the vision encoder said something that is no message')
      child.kill('SIGKILL')
    }
  })()
  const exited = (async () => {
    await child.exited
    life.close()
    await Promise.all([heard, errors])
    if (silent) return 'its process showed no sign of life and was ended'
    const how = child.signalCode === null ? `code ${child.exitCode}` : `signal ${child.signalCode}`
    const last = lines.at(-1)
    return `its process ended with ${how}${last === undefined ? '' : `: ${last}`}`
  })()
  return {
    pid: child.pid,
    exited,
    get heardAt() {
      return life.heardAt
    },
    // One that is stopped hears nothing else.
    kill: () => child.kill('SIGKILL'),
    async send(message, body) {
      try {
        for (const part of frame(message, body)) child.stdin.write(part)
        await child.stdin.flush()
      } catch {
        // It is gone; `exited` tells.
      }
    },
  }
}

async function readLines(stream: ReadableStream<Uint8Array>, take: (line: string) => void): Promise<void> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of stream) {
    const pieces = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = pieces.pop()!.slice(0, 4096)
    for (const piece of pieces) if (piece !== '') take(piece)
  }
  if (rest !== '') take(rest)
}
