// Child processes that must never outlive us: each in its own process group, its output by lines, the whole group killed at the end.
// How a crashed engine comes back is `keepAlive`; what a child means is the caller's matter.

import { groupMembers, programOf } from './process-group.ts'

export interface ChildOptions {
  /** Program and arguments. */
  command: readonly string[]
  /** The whole environment; nothing is inherited. */
  env: Readonly<Record<string, string>>
  /** Each line of stdout and stderr, without its end. */
  onLine(line: string): void
}

export interface Exit {
  code: number | null
  signal: string | null
}

export interface Child {
  readonly pid: number
  /** Resolves when the first process is gone and the rest of its group has been killed. */
  readonly exited: Promise<Exit>
  readonly running: boolean
  /** The newest lines, oldest first, for error messages. */
  lastLines(): string[]
  /** SIGTERM to the first process, SIGKILL to the group after `graceMs`. Resolves with `exited`. */
  stop(graceMs: number): Promise<Exit>
}

const keptLines = 400
const maxLineChars = 16_384
/** Python's process that removes the semaphores which killed ones have left in /dev/shm, and then ends. */
const tracker = 'from multiprocessing.resource_tracker import main'
const trackerMs = 1000
/** What it says of that, in two lines, each time. */
const trackersWords = 'resource_tracker: There appear to be'
const live = new Set<number>()
let hooked = false

/** Starts a child. Throws when the program cannot be run at all (ENOENT, EACCES). */
export function startChild(options: ChildOptions): Child {
  if (!hooked) {
    hooked = true
    process.on('exit', () => {
      for (const pid of live) killGroup(pid)
    })
  }
  const lines: string[] = []
  const proc = Bun.spawn([...options.command], {
    env: { ...options.env },
    detached: true,
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const pid = proc.pid
  live.add(pid)
  let running = true
  const take = (line: string) => {
    if (line.includes(trackersWords)) return
    lines.push(line)
    if (lines.length > keptLines) lines.shift()
    options.onLine(line)
  }
  const output = Promise.all([readLines(proc.stdout, take), readLines(proc.stderr, take)])
  const finished = async (): Promise<Exit> => {
    await proc.exited
    running = false
    killAllBut(pid, tracker)
    await groupGone(pid, trackerMs)
    killGroup(pid)
    await groupGone(pid, 2000)
    live.delete(pid)
    // Everything that held the pipes is dead, but one that escaped the group must not keep us waiting.
    await Promise.race([output, Bun.sleep(500)])
    return { code: proc.exitCode, signal: proc.signalCode === null ? null : String(proc.signalCode) }
  }
  const exited = finished()
  return {
    pid,
    exited,
    get running() {
      return running
    },
    lastLines: () => [...lines],
    async stop(graceMs) {
      if (running) proc.kill('SIGTERM')
      const timer = setTimeout(() => killAllBut(pid, tracker), graceMs)
      const exit = await exited
      clearTimeout(timer)
      return exit
    },
  }
}

function killGroup(pid: number): void {
  killOne(-pid)
}

/** The group, but for processes whose command line has `word`: they end by themselves. */
function killAllBut(group: number, word: string): void {
  const members = groupMembers(group)
  const spared = members.filter((pid) => programOf(pid).includes(word))
  if (spared.length === 0) killGroup(group)
  else for (const pid of members) if (!spared.includes(pid)) killOne(pid)
}

/** Below 0: a group. */
function killOne(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (thrown) {
    if ((thrown as { code?: string }).code !== 'ESRCH') throw thrown
  }
}

/** Waits until every process of the group is dead (a zombie that nobody reaps is); at most `ms`. */
async function groupGone(pid: number, ms: number): Promise<void> {
  for (let i = 0; i < ms / 10 && groupMembers(pid).length > 0; i++) await Bun.sleep(10)
}

async function readLines(stream: ReadableStream<Uint8Array>, take: (line: string) => void): Promise<void> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of stream) {
    // Progress bars end their lines with a carriage return.
    const pieces = (rest + decoder.decode(chunk, { stream: true })).split(/\r\n|\n|\r/)
    rest = pieces.pop()!.slice(0, maxLineChars)
    for (const piece of pieces) if (piece !== '') take(piece.slice(0, maxLineChars))
  }
  if (rest !== '') take(rest)
}

/** Wait before start number `failures` + 1, after `failures` quick deaths in a row: 0.5 s, doubling, at most 30 s. */
export function restartDelayMs(failures: number): number {
  return failures === 0 ? 0 : Math.min(500 * 2 ** (failures - 1), 30_000)
}

export interface Life {
  /** Starts it and resolves when it serves; rejects when it cannot. */
  start(): Promise<{ died: Promise<string> }>
  /** It is gone or failed to start; the next start is `delayMs` away. */
  onDown(reason: string, delayMs: number): void
}

export interface Kept {
  /** No start follows any more. What runs is left to the caller. */
  end(): void
}

/** A life of at least this long forgives earlier failures. */
const steadyMs = 60_000

/**
 * Restarts what dies, with back-off, until `end`. The first start is the caller's: `died` is that of the running one.
 */
export function keepAlive(life: Life, died: Promise<string>, now: () => number = Date.now): Kept {
  let ended = false
  let wake: () => void = () => {}
  const loop = async () => {
    let failures = 0
    let current = died
    for (;;) {
      const startedAt = now()
      let reason = await current
      if (now() - startedAt >= steadyMs) failures = 0
      for (;;) {
        if (ended) return
        const delayMs = restartDelayMs(failures++)
        life.onDown(reason, delayMs)
        await new Promise<void>((done) => {
          const timer = setTimeout(done, delayMs)
          wake = () => {
            clearTimeout(timer)
            done()
          }
        })
        if (ended) return
        try {
          current = (await life.start()).died
          break
        } catch (thrown) {
          reason = thrown instanceof Error ? thrown.message : String(thrown)
        }
      }
    }
  }
  void loop()
  return {
    end() {
      ended = true
      wake()
    },
  }
}
