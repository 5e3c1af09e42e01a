// Prefill and decode apart: one lease over two, whose engine runs both legs of a request. They live and die together:
// nobody waits on a leg that has failed, one abort ends both, and only the decode leg feeds the sink.
import { bootstrapRoom, loneBootstrap } from '../engine/canary.ts'
import type { Engine } from '../engine/engine.ts'
import type { EngineUsage, Finish, GenerateRequest, PromptLogprobs, RowLogprobs, SamplingParams, Sink } from '../engine/types.ts'
import { AppError, toAppError } from '../lib/errors.ts'
import type { Lease, Outcome } from './router.ts'

/** A prefill leg ends when its KV has left; one that is still there so long after its answer is stuck. */
const lingerMs = 1000

/**
 * One lease of a prefill lease and a decode lease; `prefillEngine` tells where decode engines fetch KV (read at each request: it moves with a restart).
 * The prefill lease is released when its last leg ends, the decode lease by `release`; each hears only of its own leg's failure.
 */
export function pairLease(prefill: Lease, prefillEngine: Pick<Engine, 'info'>, decode: Lease): Lease {
  const { dpSize } = prefillEngine.info
  const rank = prefill.dpRank ?? (dpSize > 1 ? Math.floor(Math.random() * dpSize) : 0)
  let legs = 0
  let over = false
  let prefillError: AppError | undefined

  const side: PrefillSide = {
    engine: prefill.engine,
    rank,
    info: () => prefillEngine.info,
    began: () => legs++,
    ended(computed, error) {
      prefillError ??= error
      legs--
      if (computed) prefill.started()
      if (legs === 0) prefill.release(prefillError === undefined ? undefined : { error: prefillError })
    },
    lost(error) {
      if (legs > 0) prefillError ??= error
    },
  }

  return {
    workerId: decode.workerId,
    dpRank: decode.dpRank,
    prefillWorkerId: prefill.workerId,
    prefillDpRank: rank,
    overlapTokens: prefill.overlapTokens,
    engine: {
      generate: (request, sink, signal) => new Pair(request, sink, signal, side, decode).run(),
      embed: () => Promise.reject(new AppError('engine_rejected', { message: 'Embeddings do not run on prefill and decode workers.' })),
    },
    started: () => decode.started(),
    release(outcome) {
      if (over) return
      over = true
      decode.release(prefillError !== undefined && outcome?.error === prefillError ? withoutError(outcome) : outcome)
      if (legs === 0) prefill.release()
    },
  }
}

const nothing = new Uint8Array()

/** Of its pictures a decode leg needs to know where they lie, because their KV comes with the prompt's. */
function withPlacesOnly(request: GenerateRequest): GenerateRequest {
  if (request.media === undefined) return request
  return { ...request, media: request.media.map(({ frames, rows, ...item }) => ({ ...item, file: nothing })) }
}

function withoutError({ usage }: Outcome): Outcome | undefined {
  return usage === undefined ? undefined : { usage }
}

interface PrefillSide {
  engine: Lease['engine']
  rank: number
  info(): Engine['info']
  began(): void
  /** Called once a leg; `error` is what the leg itself failed with. */
  ended(computed: boolean, error: AppError | undefined): void
  /** The decode leg lost the transfer. */
  lost(error: AppError): void
}

const noUsage: EngineUsage = { promptTokens: 0, completionTokens: 0, cachedTokens: 0, reasoningTokens: 0 }

/** One sequence on two engines. */
class Pair {
  private readonly request: GenerateRequest
  private readonly sink: Sink
  private readonly signal: AbortSignal
  private readonly prefillSide: PrefillSide
  private readonly decodeSide: Lease
  private readonly stopPrefill = new AbortController()
  private readonly stopDecode = new AbortController()
  /** The sink had its terminal. */
  private over = false
  private prefillOver = false
  private cachedTokens = 0
  /** Rows that wait for the prompt's log-probabilities, which come from the other engine and go first. */
  private held: (() => void)[] | undefined
  private lingers: ReturnType<typeof setTimeout> | undefined
  private resolve: () => void = () => {}

  constructor(request: GenerateRequest, sink: Sink, signal: AbortSignal, prefillSide: PrefillSide, decodeSide: Lease) {
    this.request = request
    this.sink = sink
    this.signal = signal
    this.prefillSide = prefillSide
    this.decodeSide = decodeSide
    if ((request.logprobs?.promptStart ?? -1) >= 0) this.held = []
  }

  /** Resolves right after the sink's terminal call. */
  run(): Promise<void> {
    return new Promise((resolve) => {
      this.resolve = resolve
      const { request, prefillSide } = this
      const info = prefillSide.info()
      const alone = request.sampling.max_new_tokens === 0
      const lone = loneBootstrap(info, prefillSide.rank)
      if (info.bootstrap === undefined && !alone) {
        const error = new AppError('engine_failed', { message: 'The prefill worker does not tell where its KV can be fetched.' })
        prefillSide.began()
        this.prefillEnded(false, error)
        this.fail(error)
        return
      }
      const room = bootstrapRoom(info.dpSize, prefillSide.rank)
      const bootstrap = alone ? lone : { ...info.bootstrap!, room, prefillDpRank: prefillSide.rank }
      const leg = { ...request, sampling: firstToken(request.sampling), stream: false, bootstrap }
      if (info.dpSize > 1) leg.dpRank = prefillSide.rank
      else delete leg.dpRank
      this.signal.addEventListener('abort', this.onAbort, { once: true })
      if (this.signal.aborted) this.onAbort()
      prefillSide.began()
      const first = this.prefillSink(alone)
      prefillSide.engine.generate(leg, first, this.stopPrefill.signal).catch((thrown) => first.fail(toAppError(thrown)))
      if (this.over || alone) return
      const rest = this.decodeSink()
      this.decodeSide.engine
        .generate({ ...withPlacesOnly(request), bootstrap }, rest, this.stopDecode.signal)
        .catch((thrown) => rest.fail(toAppError(thrown)))
    })
  }

  /** The first token comes with the KV, so this leg's own is of no use; only a request without an answer ends with it. */
  private prefillSink(alone: boolean): Sink {
    return {
      push: () => {},
      promptLogprobs: (logprobs) => this.tellPrompt(logprobs),
      end: (finish, usage) => {
        const error = errorOf(finish, 'prefill')
        this.prefillEnded(finish.kind !== 'abort', isTransfer(finish) ? undefined : error)
        if (alone) {
          if (error !== undefined) this.fail(error)
          else this.end(finish, { ...usage, completionTokens: 0 })
        } else if (finish.kind !== 'abort') {
          this.cachedTokens = usage.cachedTokens
          this.flush()
        } else if (error !== undefined) this.fail(error)
        else if (!this.stopPrefill.signal.aborted) this.end(finish, { ...usage, completionTokens: 0 })
      },
      fail: (error) => {
        this.prefillEnded(false, error)
        this.fail(error)
      },
    }
  }

  private decodeSink(): Sink {
    return {
      push: (ids, start, end, logprobs) => {
        if (this.over) return
        if (this.held === undefined) this.sink.push(ids, start, end, logprobs)
        else this.hold(ids.slice(start, end), logprobs)
      },
      end: (finish, usage) => {
        if (this.over) return
        const error = errorOf(finish, 'decode')
        if (error !== undefined) {
          if (isTransfer(finish) && !this.signal.aborted) this.prefillSide.lost(error)
          this.fail(error)
        } else if (this.held !== undefined && !this.prefillOver && finish.kind !== 'abort') {
          const kept = { ...usage }
          this.held.push(() => this.end(finish, kept))
        } else {
          this.flush()
          this.end(finish, usage)
        }
      },
      fail: (error) => this.fail(error),
    }
  }

  private tellPrompt(logprobs: PromptLogprobs): void {
    if (this.over) return
    this.sink.promptLogprobs?.(logprobs)
    this.flush()
  }

  private hold(ids: Int32Array, logprobs: RowLogprobs | undefined): void {
    this.held!.push(() => this.over || this.sink.push(ids, 0, ids.length, logprobs))
  }

  private flush(): void {
    const held = this.held
    this.held = undefined
    for (const row of held ?? []) row()
  }

  private end(finish: Finish, usage: EngineUsage): void {
    if (this.over) return
    this.over = true
    if (this.cachedTokens > usage.cachedTokens) usage = { ...usage, cachedTokens: this.cachedTokens }
    this.sink.end(finish, usage)
    this.settle(finish.kind === 'abort')
  }

  private fail(error: AppError): void {
    if (this.over) return
    // Each leg of a cancelled request may call the end of the other a failed transfer.
    if (this.signal.aborted) this.end({ kind: 'abort', message: 'Aborted' }, noUsage)
    else {
      this.over = true
      this.sink.fail(error)
      this.settle(true)
    }
  }

  /** After the sink's terminal: what still runs has nobody to run for. */
  private settle(now: boolean): void {
    this.stopDecode.abort()
    if (now) this.stopPrefill.abort()
    else if (!this.prefillOver) this.lingers = setTimeout(() => this.stopPrefill.abort(), lingerMs)
    if (this.prefillOver) this.signal.removeEventListener('abort', this.onAbort)
    this.resolve()
  }

  private prefillEnded(computed: boolean, error: AppError | undefined): void {
    if (this.prefillOver) return
    this.prefillOver = true
    clearTimeout(this.lingers)
    if (this.over) this.signal.removeEventListener('abort', this.onAbort)
    // What it says of an end that we, or the other leg, brought about is no fault of its engine.
    this.prefillSide.ended(computed, this.over || this.signal.aborted ? undefined : error)
  }

  private readonly onAbort = (): void => {
    this.stopPrefill.abort()
    this.stopDecode.abort()
  }
}

/** The sampling of the prefill leg: the same choice of the first token, and no more. */
function firstToken(sampling: SamplingParams): SamplingParams {
  const { max_new_tokens: most, min_new_tokens: least, ...same } = sampling
  const first: SamplingParams = { ...same, max_new_tokens: Math.min(1, most ?? 1) }
  if (least !== undefined) first.min_new_tokens = Math.min(1, least)
  return first
}

/** An engine's own failure, told as an abort, as the error that may be tried again elsewhere; a plain cancel or a refused request is none. */
function errorOf(finish: Finish, leg: string): AppError | undefined {
  if (finish.kind !== 'abort' || finish.status === undefined || finish.status < 500) return undefined
  const cause = new Error(finish.message)
  if (finish.status === 503) return new AppError('engine_unavailable', { message: `The ${leg} worker is full.`, retryAfterSecs: 1, cause })
  return new AppError('engine_failed', { message: `The ${leg} worker failed on this request.`, cause })
}

/** An engine that can still say that a transfer failed is not the one that died: such an end is told against the other leg's worker. */
function isTransfer(finish: Finish): boolean {
  return finish.kind === 'abort' && finish.message !== undefined && /\b(transfer|handshake|bootstrap) failed\b/i.test(finish.message)
}
