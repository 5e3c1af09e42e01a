// What Linux tells of the processes of a group (proc(5)): their states, the CPU time that they had, and which of their threads want more. Elsewhere nothing is known.
import { readdirSync, readFileSync } from 'node:fs'

export interface ProcessStat {
  /** R runs or waits for a core, D waits for a disk or a driver, S sleeps, T is stopped, t is held by a debugger, Z is dead. Of a process: its first thread's. */
  state: string
  parent: number
  group: number
  /** Of all its threads, and of children that ended and were waited for; in steps of 10 ms. */
  cpuMs: number
}

/** Linux counts CPU time for programs in hundredths of a second, whatever the machine (USER_HZ). */
const tickMs = 10

/** Undefined: it is gone, or there is no /proc. */
export function processStat(pid: number | string): ProcessStat | undefined {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return undefined
  }
  // After the name in parentheses, which may hold anything: state, parent, group; utime, stime, cutime and cstime from the twelfth.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const cpuMs = fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) * tickMs
  return { state: fields[0]!, parent: Number(fields[1]), group: Number(fields[2]), cpuMs }
}

/** Ids of all processes that are seen in `root`; none where it is not there: who ends a group must not fail for want of a look at it. */
export function processIds(root = '/proc'): number[] {
  let names: string[]
  try {
    names = readdirSync(root)
  } catch {
    return []
  }
  return names.filter((name) => /^\d+$/.test(name)).map(Number)
}

/** Ids of the processes of a group, but for dead ones that nobody waited for. */
export function groupMembers(group: number): number[] {
  return processIds().filter((pid) => {
    const stat = processStat(pid)
    return stat?.group === group && stat.state !== 'Z'
  })
}

/** Program and arguments, or nothing when it is gone. */
export function programOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}

/** One process of a group as it was at a moment. */
export interface ProcessSample {
  pid: number
  cpuMs: number
  stopped: boolean
  /** Its threads that run, or wait for a core, a disk or a driver. */
  wanting: readonly number[]
}

/** Looks at group `group`, of which the first process has the same id; an empty list when that is gone. */
export function groupReader(group: number): () => ProcessSample[] {
  // On a large machine most processes are others': each is looked at once.
  const others = new Set<number>()
  return () => {
    const samples: ProcessSample[] = []
    // Children come later, so their ids are larger until ids begin anew: then a child may be missed, which only makes it less known.
    for (const pid of processStat(group) === undefined ? [] : processIds()) {
      if (pid < group || others.has(pid)) continue
      const stat = processStat(pid)
      if (stat === undefined) continue
      if (stat.group !== group) others.add(pid)
      else if (stat.state !== 'Z') samples.push(sampleOf(pid, stat))
    }
    return samples
  }
}

function sampleOf(pid: number, { state, cpuMs }: ProcessStat): ProcessSample {
  const stopped = state === 'T' || state === 't'
  if (stopped) return { pid, cpuMs, stopped, wanting: [] }
  // Most often it is the first thread that works; a process may have hundreds.
  return {
    pid,
    cpuMs,
    stopped,
    wanting: wants(state) ? [pid] : threadsOf(pid).filter((tid) => wants(processStat(`${pid}/task/${tid}`)?.state)),
  }
}

function threadsOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number)
  } catch {
    return [] // It ended while we looked.
  }
}

function wants(state: string | undefined): boolean {
  return state === 'R' || state === 'D'
}
