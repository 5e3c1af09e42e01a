// A running answer: its choices report here, its sink hears in order, and it ends exactly once.
import type { EngineUsage, PromptLogprobs } from '../engine/types.ts'
import type { AppError } from '../lib/errors.ts'
import { type HistogramChild, interTokenLatency, queuedRequests, timeToFirstToken } from '../lib/metrics.ts'
import type { Lease } from '../router/router.ts'
import type { ChoiceOwner } from './decode/decode.ts'
import { promptTokens } from './decode/logprobs.ts'
import { again, type Cause, toldAs } from './failure.ts'
import type { LoadedModel } from './model.ts'
import type { Prepared } from './prepare.ts'
import type { Answer, AnswerSink, ChoiceFinish, TextRequest, TokenLogprob, Usage } from './types.ts'

export class RunningAnswer implements Answer, ChoiceOwner {
  readonly promptIds: Uint32Array
  readonly usage: Usage
  /** One for each choice: aborting it stops the engine's work on that choice. */
  readonly legs: AbortController[] = []
  over = false
  /** The sink knows of it: some choice has a place. */
  begun = false
  /** Of the first choice, its last one. */
  #place: Lease | undefined
  /** By choice: the lease whose first row has not come yet. */
  readonly #unstarted: (Lease | undefined)[] = []
  /** By choice: attempts so far. */
  readonly #attempts: number[]
  readonly #request: TextRequest
  readonly #sink: AnswerSink
  readonly #model: LoadedModel
  readonly #promptText: string | undefined
  readonly #gaps: HistogramChild
  #choicesLeft: number
  #lastRowAt = 0
  #echoed: boolean[]

  constructor(request: TextRequest, prepared: Prepared, model: LoadedModel, sink: AnswerSink) {
    this.#request = request
    this.#sink = sink
    this.#model = model
    this.#promptText = prepared.promptText
    this.#gaps = interTokenLatency.model(model.served.id)
    this.promptIds = prepared.promptIds
    this.usage = { promptTokens: prepared.promptIds.length, completionTokens: 0, cachedTokens: 0, reasoningTokens: 0 }
    const sounds = prepared.media?.filter(({ kind }) => kind === 'audio') ?? []
    if (sounds.length > 0) this.usage.audioTokens = sounds.reduce((sum, { tokens }) => sum + tokens, 0)
    this.#choicesLeft = request.n
    this.#attempts = new Array(request.n).fill(0)
    // Without logprobs the prompt can be echoed at once; with them it waits for the engine's numbers.
    this.#echoed = new Array(request.n).fill(!request.echo)
  }

  get workerId(): string {
    return this.#place!.workerId
  }

  get dpRank(): number | undefined {
    return this.#place!.dpRank
  }

  get prefillWorkerId(): string | undefined {
    return this.#place!.prefillWorkerId
  }

  get prefillDpRank(): number | undefined {
    return this.#place!.prefillDpRank
  }

  get overlapTokens(): number {
    return this.#place!.overlapTokens
  }

  /** A choice has a place, its first or another one; the sink hears of the request's first. */
  placed(choice: number, lease: Lease): void {
    this.#unstarted[choice] = lease
    this.#attempts[choice]!++
    if (choice === 0) this.#place = lease
    if (this.begun) return
    this.begun = true
    this.#sink.begin(this)
  }

  produced(choice: number, count: number): void {
    const now = performance.now()
    const lease = this.#unstarted[choice]
    if (lease !== undefined) {
      this.#unstarted[choice] = undefined
      lease.started()
    }
    if (this.#lastRowAt === 0) {
      timeToFirstToken.model(this.#model.served.id).observe((now - this.#request.receivedAt) / 1000)
      queuedRequests.dec({ model: this.#model.served.id })
    } else this.#gaps.observe((now - this.#lastRowAt) / 1000 / count)
    this.#lastRowAt = now
    this.usage.completionTokens += count
  }

  /** True once a row has come: the request is no longer queued. */
  get started(): boolean {
    return this.#lastRowAt !== 0
  }

  promptLogprobs(choice: number, logprobs: PromptLogprobs): void {
    if (this.over || this.#echoed[choice]) return
    this.#echoed[choice] = true
    this.#sink.text(choice, this.#promptAsText(), promptTokens(logprobs, this.#model.tokenizer))
  }

  text(choice: number, text: string, logprobs: TokenLogprob[] | undefined): void {
    if (this.over) return
    if (!this.#echoed[choice]) this.#echo(choice)
    this.#sink.text(choice, text, logprobs)
  }

  finished(choice: number, finish: ChoiceFinish, engineEnded: boolean): void {
    if (this.over) return
    if (!this.#echoed[choice]) this.#echo(choice)
    this.#sink.finish(choice, finish)
    // The engine may be about to end it in this very turn; only if it does not is it told to stop.
    if (!engineEnded) queueMicrotask(() => this.legs[choice]?.abort())
    this.#choicesLeft--
    if (this.#choicesLeft > 0) return
    this.over = true
    this.#sink.end(this.usage)
  }

  ended(_choice: number, usage: EngineUsage): void {
    this.usage.reasoningTokens += usage.reasoningTokens
    // Only the engine knows how long a prompt is that it tokenized itself.
    if (this.promptIds.length === 0) this.usage.promptTokens = usage.promptTokens
    // A later attempt's prompt holds what was produced before; that was never the client's prompt.
    const cached = Math.min(usage.cachedTokens, this.usage.promptTokens)
    if (cached > this.usage.cachedTokens) this.usage.cachedTokens = cached
  }

  /** A refusal ends the answer at once; what another worker may still take, migrate.ts decides when the attempt is over. */
  failed(choice: number, cause: Cause): void {
    if (this.#attempts[choice] === 1 && again(cause) === 'never') this.fail(toldAs(cause, this.#request))
  }

  /** Ends the answer with an error and stops every leg. A second call does nothing. */
  fail(error: AppError): void {
    if (this.over) return
    this.over = true
    this.#sink.fail(error)
    for (const leg of this.legs) leg.abort()
  }

  #echo(choice: number): void {
    this.#echoed[choice] = true
    this.#sink.text(choice, this.#promptAsText(), this.#request.topLogprobs === undefined ? undefined : [])
  }

  #promptAsText(): string {
    return this.#promptText ?? this.#model.tokenizer.decode(this.promptIds, false)
  }
}
