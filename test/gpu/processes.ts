// Processes of a GPU measurement: started in groups of their own, watched by their logs, ended by their ids; and what runs below them.
import { appendFileSync, closeSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export interface Running {
  pid: number
  /** All that it has printed so far. */
  printed(): string
  /** undefined while it runs. */
  exitCode(): number | undefined
  /** SIGTERM to its group, SIGKILL after 15 s. */
  stop(): Promise<void>
}

/** Runs `command` with the environment of this process and `env`; both streams go to the file `log`. */
export function run(command: string[], log: string, env: Record<string, string> = {}): Running {
  const out = openSync(log, 'w')
  // This script may itself be run by the executable under test, acting as Bun.
  const child = Bun.spawn(['setsid', ...command], {
    ...{ stdout: out, stderr: out, stdin: 'ignore' as const },
    env: { ...process.env, DYN_GRACEFUL_SHUTDOWN_GRACE_PERIOD_SECS: '0.2', ...env, BUN_BE_BUN: undefined },
  })
  closeSync(out)
  leader(child.pid, log)
  return {
    pid: child.pid,
    printed: () => readFileSync(log, 'utf8'),
    exitCode: () => child.exitCode ?? (child.signalCode === null ? undefined : -1),
    async stop() {
      signalGroup(child.pid, 'SIGTERM')
      const late = setTimeout(() => signalGroup(child.pid, 'SIGKILL'), 15_000)
      await child.exited
      clearTimeout(late)
    },
  }
}

/** Notes a group beside its log, so that what an interrupted run leaves can be ended by its ids. */
export function leader(pid: number, log: string): void {
  appendFileSync(join(dirname(log), 'leaders'), `${pid}\n`)
}

function signalGroup(leader: number, signal: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(-leader, signal)
  } catch {} // gone already
}

/** Milliseconds until `done`, or null after `limitMs`. A `done` that throws is not done. */
export async function msUntil(done: () => boolean | Promise<boolean>, limitMs = 60_000, pauseMs = 2): Promise<number | null> {
  const began = performance.now()
  for (;;) {
    if (
      await Promise.resolve()
        .then(done)
        .catch(() => false)
    )
      return Math.round((performance.now() - began) * 10) / 10
    if (performance.now() - began > limitMs) return null
    await Bun.sleep(pauseMs)
  }
}

/** Waits for `done`; throws with the end of the process's log when it exits before, or takes longer than `secs`. */
export async function ready(what: string, one: Running, done: () => boolean | Promise<boolean>, secs: number): Promise<number> {
  const ms = await msUntil(() => one.exitCode() !== undefined || done(), secs * 1000, 100)
  if (ms === null || one.exitCode() !== undefined) throw new Error(`${what} was not ready (${ms} ms):\n${one.printed().slice(-3000)}`)
  return Math.round(ms / 100) / 10
}

/** All processes below `root`, with their command lines. */
export function family(root: number): Map<number, string> {
  const parents = new Map<number, number>()
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8')
      parents.set(Number(entry), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]))
    } catch {} // gone meanwhile
  }
  const found = new Map<number, string>()
  for (let grew = true; grew; ) {
    grew = false
    for (const [pid, parent] of parents)
      if (!found.has(pid) && (parent === root || found.has(parent))) {
        found.set(pid, commandLine(pid))
        grew = true
      }
  }
  return found
}

export function alive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
  } catch {
    return false
  }
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim().slice(0, 120)
  } catch {
    return ''
  }
}
