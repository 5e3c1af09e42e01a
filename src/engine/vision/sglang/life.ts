// Signs of life of an encoder server that we started, told by the operating system: it can give none itself, as it encodes in the thread that answers. A server that is stopped shows
// no life; one that uses no CPU and wants none does not work.
import { groupReader, type ProcessSample } from '../../process-group.ts'
import type { WorkSigns } from '../vision.ts'

/** What is known after a sample. Times are milliseconds of one clock. */
export interface Signs {
  at: number
  /** When it was last seen not stopped. */
  heardAt: number
  /** When it was last seen at work. */
  seenAt: number
  /** CPU time of each process. */
  cpuMs: ReadonlyMap<number, number>
  /** In how many samples, one after the other, each thread wanted a core or a disk. */
  wanted: ReadonlyMap<number, number>
}

const everyMs = 250
/** Less says nothing where CPU time is told in steps of 10 ms. */
const leastApartMs = 100
/**
 * Of a core, by one process: who uses more works. Measured with SGLang 0.5.23 on two cores, samples of 250 ms: an idle server and one whose encode is dead-locked take 1.5 to 1.8 %
 * (4.5 ms a sample; 12 ms at most, beside six busy loops too; Gloo's threads and uvicorn's ticks), one that encodes 99 %.
 */
const leastShare = 0.2
/**
 * A thread that wants to run in so many samples in a row works, however little it gets. An idle or dead-locked server had one in 14 % of its samples, and none twice in a row (372
 * samples); one that encodes in all.
 */
const leastInRow = 3

/** Nothing was seen yet; it is given the time from now on. */
export function noSigns(now: number): Signs {
  return { at: Number.NEGATIVE_INFINITY, heardAt: now, seenAt: now, cpuMs: new Map(), wanted: new Map() }
}

/** `samples`: all its processes. One that is stopped stops all: the others wait for it. */
export function nextSigns(last: Signs, samples: readonly ProcessSample[], now: number): Signs {
  if (now - last.at < leastApartMs) return last
  const stopped = samples.length === 0 || samples.some((process) => process.stopped)
  const least = leastShare * (now - last.at)
  // Of one that is seen for the first time it is not known when it had what it had.
  const worked = samples.some(({ pid, cpuMs }) => cpuMs - (last.cpuMs.get(pid) ?? cpuMs) > least)
  const wanted = new Map(samples.flatMap(({ wanting }) => wanting).map((tid) => [tid, (last.wanted.get(tid) ?? 0) + 1]))
  const seen = !stopped && (worked || [...wanted.values()].some((times) => times >= leastInRow))
  return {
    at: now,
    heardAt: stopped ? last.heardAt : now,
    seenAt: seen ? now : last.seenAt,
    cpuMs: new Map(samples.map(({ pid, cpuMs }) => [pid, cpuMs])),
    wanted,
  }
}

export interface LifeWatch {
  /** It has work from now on, until `busy` says otherwise. */
  begin(): void
  readonly heardAt: number
  readonly work: WorkSigns
  close(): void
}

/**
 * Watches the processes of group `pid` while `busy`, and longer while they are stopped. `hidden`: part of its work may not show here, being on a GPU. Undefined where nothing can be
 * seen of it.
 */
export function watchLife(pid: number, hidden: boolean, busy: () => boolean): LifeWatch | undefined {
  const read = groupReader(pid)
  if (read().length === 0) return undefined
  let signs = noSigns(performance.now())
  let timer: ReturnType<typeof setInterval> | undefined
  const end = () => {
    clearInterval(timer)
    timer = undefined
  }
  const look = () => {
    const now = performance.now()
    signs = nextSigns(signs, read(), now)
    if (!busy() && signs.heardAt === now) end()
  }
  return {
    begin() {
      if (timer !== undefined) return
      signs = noSigns(performance.now())
      timer = setInterval(look, everyMs)
      look()
    },
    // Nobody looks at one that has nothing to do and was well when it had.
    get heardAt() {
      return timer === undefined ? performance.now() : signs.heardAt
    },
    get work() {
      return { seenAt: timer === undefined ? performance.now() : signs.seenAt, hidden }
    },
    close: end,
  }
}
