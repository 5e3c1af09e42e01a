// Time for the ranks: begins and ends their steps when they are due and hands each step's rows to the sinks, in one synchronous turn.
// Gives the event loop back after 2 ms of work, whatever the speed; late timers do not add up.
import { log } from '../../../lib/log.ts'
import { promptLogprobs } from '../answer/logprobs.ts'
import type { MockConfig } from '../options.ts'
import type { Sequence } from './sequence.ts'
import { begin, complete, type Frame, makeFrame, type Rank } from './step.ts'

const turnMs = 2
/** Bun's timers fire up to a millisecond early; a step this close to its end counts as over. The schedule itself does not move. */
const earlyMs = 0.8
/** A loop that was held up longer than this starts its schedule anew instead of catching up. */
const maxLagMs = 250

export interface LoopHooks {
  /** Called before each round of steps; false stops the loop until the next `wake`. */
  before(): boolean
  /** The sequence's last token has been handed over. */
  ended(sequence: Sequence): void
  /** The rank's step is over and delivered. */
  stepped(rank: Rank): void
}

export class Loop {
  /** Tokens produced by all ranks so far. */
  produced = 0
  private readonly config: MockConfig
  private readonly hooks: LoopHooks
  private ranks: readonly Rank[]
  /** When each rank's step under way ends, in performance.now() time. */
  private readonly dueAt: Float64Array
  private readonly frame: Frame
  private queued = false
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(config: MockConfig, ranks: readonly Rank[], hooks: LoopHooks) {
    this.config = config
    this.ranks = ranks
    this.hooks = hooks
    this.dueAt = new Float64Array(ranks.length)
    this.frame = makeFrame(config.maxRunningRequests)
  }

  /** Runs a turn after the current one: there is a new sequence, an abort, or a change of the hooks' mind. */
  wake(): void {
    if (this.queued) return
    this.queued = true
    setImmediate(this.turn)
  }

  /** Goes on with other ranks; what the old ones had under way is forgotten. */
  replace(ranks: readonly Rank[]): void {
    this.ranks = ranks
    this.stop()
  }

  stop(): void {
    clearTimeout(this.timer)
  }

  private readonly turn = (): void => {
    this.queued = false
    const start = performance.now()
    let now = start
    do {
      if (!this.hooks.before()) return
      const next = this.round(now)
      if (next === Number.POSITIVE_INFINITY) return
      now = performance.now()
      if (next > now + earlyMs) {
        clearTimeout(this.timer)
        this.timer = setTimeout(this.turn, next - now)
        return
      }
    } while (now - start < turnMs)
    this.wake()
  }

  /** Ends the steps that are due and begins new ones; returns when the next one ends. */
  private round(now: number): number {
    let next = Number.POSITIVE_INFINITY
    for (const rank of this.ranks) {
      let from = now
      if (rank.step !== 'idle') {
        const due = this.dueAt[rank.index]!
        if (due <= now + earlyMs) {
          complete(rank, this.frame)
          this.deliver(rank)
          // The next step starts when this one should have ended, so that late timers do not add up.
          if (now - due < maxLagMs) from = due
        }
      }
      if (rank.step === 'idle') this.dueAt[rank.index] = from + begin(rank) / this.config.speedupRatio
      if (rank.step !== 'idle') next = Math.min(next, this.dueAt[rank.index]!)
    }
    return next
  }

  private deliver(rank: Rank): void {
    const { ids, rows, count } = this.frame
    this.produced += count
    let ended = false
    for (let i = 0; i < count; i++) {
      const row = rows[i]!
      // A sink or listener called earlier in this frame may have ended it.
      if (row.closed) continue
      try {
        if (row.plan.request.logprobs !== undefined) this.sendPromptLogprobs(row)
        if (row.produced > row.delivered) hand(row, ids, i)
      } catch (error) {
        log.error({ err: error, requestId: row.plan.request.requestId }, 'a sink threw; its request is aborted')
        row.finish = { kind: 'abort', message: 'the receiver of the answer failed' }
      }
      if (row.finish !== undefined) {
        ended = true
        this.hooks.ended(row)
      }
    }
    if (ended) rows.length = 0
    this.hooks.stepped(rank)
  }

  private sendPromptLogprobs(row: Sequence): void {
    const { request, prompt, sink, startHash } = row.plan
    if (row.delivered > 0 || request.logprobs!.promptStart < 0 || sink.promptLogprobs === undefined) return
    sink.promptLogprobs(promptLogprobs(prompt, startHash, this.config.textIds, request.logprobs!))
  }
}

function hand(row: Sequence, ids: Int32Array, at: number): void {
  const { sink } = row.plan
  if (row.rowTokens === 1) {
    row.delivered++
    sink.push(ids, at, at + 1, row.logprobs)
  } else if (row.finish !== undefined || row.produced - row.delivered >= row.rowTokens) {
    const from = row.delivered
    row.delivered = row.produced
    sink.push(row.out, from, row.produced, undefined)
  }
}
