// The load itself: a closed loop keeps a number of requests under way, an open loop sends them when they arrive, whatever the server does.
import { Answer, type Outcome } from './answer.ts'
import type { ConnectionPool } from './connection.ts'
import { dice } from './prompts.ts'
import { LogHistogram } from './statistics.ts'

const unreachableMs = 20

export interface Load {
  pool: ConnectionPool
  /** The whole request of a number, ready to be sent. */
  request(index: number): Uint8Array
  stream: boolean
  concurrency: number
  rate: number | undefined
  numRequests: number
  durationSecs: number
  timeoutSecs: number
  seed: number
  /** Aborted: nothing new is sent; what runs ends. */
  signal: AbortSignal
}

/** Live while the load runs. */
export interface Tally {
  startedAt: number
  endedAt: number
  sent: number
  done: number
  failed: number
  outputTokens: number
  promptTokens: number
  cachedTokens: number
  ttftMs: number[]
  totalMs: number[]
  /** Per request: time from the first to the last token over the tokens between. */
  tpotMs: number[]
  gaps: LogHistogram
  /** Key of the error → how often. */
  errors: Map<string, number>
}

export function newTally(): Tally {
  const now = performance.now()
  return {
    startedAt: now,
    endedAt: now,
    sent: 0,
    done: 0,
    failed: 0,
    outputTokens: 0,
    promptTokens: 0,
    cachedTokens: 0,
    ttftMs: [],
    totalMs: [],
    tpotMs: [],
    gaps: new LogHistogram(),
    errors: new Map(),
  }
}

/** Sends requests numbered from `first` and fills the tally; resolves when the last one has ended. */
export function runLoad(load: Load, tally: Tally, first = 0): Promise<void> {
  tally.startedAt = performance.now()
  return load.rate === undefined ? closedLoop(load, tally, first) : openLoop(load, load.rate, tally, first)
}

/** Whether one more request may start. */
function goesOn(load: Load, tally: Tally): boolean {
  return tally.sent < load.numRequests && !load.signal.aborted && performance.now() - tally.startedAt < load.durationSecs * 1000
}

async function closedLoop(load: Load, tally: Tally, first: number): Promise<void> {
  const lane = async () => {
    while (goesOn(load, tally)) {
      const { error } = await sendOne(load, tally, first + tally.sent++, performance.now())
      // A server that is not there would turn the loop into a busy one.
      if (error?.startsWith('cannot connect')) await sleep(unreachableMs, load.signal)
    }
  }
  await Promise.all(Array.from({ length: Math.min(load.concurrency, load.numRequests) }, lane))
}

/** A request that has to wait for its place (`concurrency`) waits on its own time: it is measured from its arrival. */
async function openLoop(load: Load, rate: number, tally: Tally, first: number): Promise<void> {
  const random = dice(load.seed ^ 0x51ed270b)
  const all: Promise<void>[] = []
  const queue: (() => void)[] = []
  let running = 0
  const run = async (index: number, at: number) => {
    if (running >= load.concurrency) await new Promise<void>((resolve) => queue.push(resolve))
    else running++
    await sendOne(load, tally, index, at)
    const next = queue.shift()
    if (next === undefined) running--
    else next()
  }
  let arrival = tally.startedAt
  while (goesOn(load, tally)) {
    arrival += (-Math.log(1 - random()) / rate) * 1000
    if (arrival - tally.startedAt > load.durationSecs * 1000) break
    const waitMs = arrival - performance.now()
    if (waitMs > 0.5) await sleep(waitMs, load.signal)
    // A client that is behind its schedule must still read what comes back.
    else if (tally.sent % 32 === 0) await new Promise((resolve) => setImmediate(resolve))
    if (load.signal.aborted) break
    all.push(run(first + tally.sent++, arrival))
  }
  await Promise.all(all)
}

function sendOne(load: Load, tally: Tally, index: number, startedAt: number): Promise<Outcome> {
  const { pool } = load
  return new Promise((resolve) => {
    const answer = new Answer({
      startedAt,
      stream: load.stream,
      onGap: (ms) => tally.gaps.add(ms),
      onEnd: () => {
        clearTimeout(timer)
        const outcome = answer.outcome()
        count(tally, outcome, load.stream)
        resolve(outcome)
      },
    })
    const timer = setTimeout(() => {
      pool.drop(answer)
      answer.fail('timeout')
    }, load.timeoutSecs * 1000)
    void pool.send(load.request(index), answer)
  })
}

function count(tally: Tally, outcome: Outcome, stream: boolean): void {
  tally.endedAt = performance.now()
  tally.done++
  if (outcome.error !== undefined) {
    tally.failed++
    tally.errors.set(outcome.error, (tally.errors.get(outcome.error) ?? 0) + 1)
    return
  }
  tally.outputTokens += outcome.outputTokens
  tally.promptTokens += outcome.promptTokens
  tally.cachedTokens += outcome.cachedTokens
  tally.totalMs.push(outcome.totalMs)
  if (!stream) return
  tally.ttftMs.push(outcome.ttftMs)
  if (outcome.outputTokens > 1) tally.tpotMs.push((outcome.totalMs - outcome.ttftMs) / (outcome.outputTokens - 1))
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', wake)
      resolve()
    }
    const timer = setTimeout(wake, ms)
    signal.addEventListener('abort', wake)
  })
}
