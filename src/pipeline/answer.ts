// A running answer: its choices report here, its sink hears in order, and it ends exactly once.
import type { EngineUsage, Finish, PromptLogprobs } from '../engine/types.ts'
import { AppError } from '../lib/errors.ts'
import { type HistogramChild, interTokenLatency, queuedRequests, timeToFirstToken } from '../lib/metrics.ts'
import type { Lease } from '../router/router.ts'
import type { ChoiceOwner } from './decode.ts'
import { promptTokens } from './logprobs.ts'
import type { LoadedModel } from './model.ts'
import type { Prepared } from './prepare.ts'
import type { Answer, AnswerSink, ChoiceFinish, TextRequest, TokenLogprob, Usage } from './types.ts'

export class RunningAnswer implements Answer, ChoiceOwner {
  readonly workerId: string
  readonly dpRank: number | undefined
  readonly promptIds: Uint32Array
  readonly usage: Usage
  /** One for each choice: aborting it stops the engine's work on that choice. */
  readonly legs: AbortController[] = []
  over = false
  readonly #request: TextRequest
  readonly #sink: AnswerSink
  readonly #model: LoadedModel
  readonly #promptText: string | undefined
  readonly #gaps: HistogramChild
  #choicesLeft: number
  #lastRowAt = 0
  #echoed: boolean[]

  constructor(request: TextRequest, prepared: Prepared, model: LoadedModel, lease: Lease, sink: AnswerSink) {
    this.#request = request
    this.#sink = sink
    this.#model = model
    this.#promptText = prepared.promptText
    this.#gaps = interTokenLatency.model(model.served.id)
    this.workerId = lease.workerId
    this.dpRank = lease.dpRank
    this.promptIds = prepared.promptIds
    this.usage = { promptTokens: prepared.promptIds.length, completionTokens: 0, cachedTokens: 0, reasoningTokens: 0 }
    this.#choicesLeft = request.n
    // Without logprobs the prompt can be echoed at once; with them it waits for the engine's numbers.
    this.#echoed = new Array(request.n).fill(!request.echo)
  }

  /** Tells the sink that the request has a place. */
  begin(): void {
    this.#sink.begin(this)
  }

  produced(_choice: number, count: number): void {
    const now = performance.now()
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
    this.usage.cachedTokens = Math.max(this.usage.cachedTokens, usage.cachedTokens)
    this.usage.reasoningTokens += usage.reasoningTokens
    // Only the engine knows how long a prompt is that it tokenized itself.
    if (this.promptIds.length === 0) this.usage.promptTokens = usage.promptTokens
  }

  failed(_choice: number, cause: AppError | Extract<Finish, { kind: 'abort' }>): void {
    this.fail(cause instanceof AppError ? cause : refusal(cause, this.#request))
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

/** An engine's abort row as an error: its own words where it refused, else that it was ended from outside. */
function refusal(finish: Extract<Finish, { kind: 'abort' }>, request: TextRequest): AppError {
  if (finish.status === undefined && finish.errorType === undefined)
    return new AppError('engine_unavailable', {
      message: `The engine ended this request: ${finish.message || 'aborted'}. It is safe to send it again.`,
      retryAfterSecs: 1,
    })
  const { json_schema, regex, ebnf, structural_tag } = request.sampling
  const param =
    json_schema !== undefined || structural_tag !== undefined
      ? 'response_format'
      : regex !== undefined
        ? 'regex'
        : ebnf !== undefined
          ? 'ebnf'
          : undefined
  const status = finish.status ?? 500
  if (status >= 500)
    return new AppError('engine_failed', { message: finish.message, status, retryAfterSecs: status === 503 ? 1 : undefined })
  if (param !== undefined && /grammar|schema|regex|ebnf|structural/i.test(finish.message))
    return new AppError('invalid_grammar', {
      message: finish.message,
      status,
      param,
    })
  return new AppError('engine_rejected', { message: finish.message, status })
}
