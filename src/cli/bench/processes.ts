// CPU time and memory of other processes of this machine, from /proc, for a cost per request and token.
import { readFileSync } from 'node:fs'
import { AppError } from '../../lib/errors.ts'

/** Linux counts CPU time in hundredths of a second for every user of /proc. */
const ticksPerSec = 100

export interface ProcessSample {
  cpuSecs: number
  rssBytes: number
}

/** Of the process with all its threads, without its children. Throws AppError `invalid_setting` when there is no such process. */
export function sampleProcess(pid: number): ProcessSample {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The command's name is in brackets and may contain anything: fields are counted from its end.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const rssKb = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]
    return { cpuSecs: (Number(fields[11]) + Number(fields[12])) / ticksPerSec, rssBytes: Number(rssKb ?? 0) * 1024 }
  } catch (cause) {
    throw new AppError('invalid_setting', { param: '--pids', message: `bench: --pids: there is no process ${pid} that can be read`, cause })
  }
}
