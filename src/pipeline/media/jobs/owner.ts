// Which process a job file belongs to: several servers may share a folder, and one that starts must not take a living one's jobs for lost.
import { readFileSync } from 'node:fs'

export interface Owner {
  readonly pid: number
  /** When it started, in the kernel's ticks since boot: pids come again (in a container always the same), this does not. Empty where there is no /proc. */
  readonly born: string
}

/** This process. */
export function thisOwner(): Owner {
  return { pid: process.pid, born: bornOf(process.pid) }
}

/** True while the process that wrote `owner` runs on this machine. One that is ending, or that nobody has reaped yet, does not. */
export function alive(owner: Owner): boolean {
  return isProcess(owner.pid) && bornOf(owner.pid) === owner.born && !/^[ZX]$/.test(statOf(owner.pid)[0] ?? '')
}

/** True while some process of this machine has the number. */
export function isProcess(pid: number): boolean {
  try {
    // Signal 0 only asks.
    process.kill(pid, 0)
    return true
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Field 22. */
function bornOf(pid: number): string {
  return statOf(pid)[19] ?? ''
}

/** proc(5), /proc/pid/stat: the fields from the third on (the state), behind the name, which may hold blanks and brackets. */
function statOf(pid: number): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return []
  }
}
