// One choice of an answer: the engine pushes ids in, certain text goes out. Hot path: no promise, closure or object per token.
import type { EngineUsage, Finish, PromptLogprobs, RowLogprobs, Sink } from '../../engine/types.ts'
import type { AppError } from '../../lib/errors.ts'
import type { StreamDecoder, Tokenizer } from '../../tokenizer/tokenizer.ts'
import type { Cause } from '../failure.ts'
import type { ChoiceFinish, TokenLogprob } from '../types.ts'
import { rowToken } from './logprobs.ts'
import { StopMatcher } from './stops.ts'

/** Who hears of a choice; answer.ts is it. */
export interface ChoiceOwner {
  produced(choice: number, count: number): void
  text(choice: number, text: string, logprobs: TokenLogprob[] | undefined): void
  promptLogprobs(choice: number, logprobs: PromptLogprobs): void
  /** `engineEnded` is false when a stop string ended the choice here, before the engine knew. */
  finished(choice: number, finish: ChoiceFinish, engineEnded: boolean): void
  /** The engine's own terminal of an attempt: before `finished`, or after it when a stop string was found here. */
  ended(choice: number, usage: EngineUsage): void
  /** An attempt ended without an answer; another one may go on with the same decoder. */
  failed(choice: number, cause: Cause): void
}

export interface ChoiceOptions {
  choice: number
  tokenizer: Tokenizer
  promptIds: Uint32Array
  skipSpecial: boolean
  stops: readonly string[]
  includeStop: boolean
  /** Ids that end an answer: the engine reports them as its last token, and their text is not shown. */
  stopIds: ReadonlySet<number>
  wantLogprobs: boolean
}

const NONE = -1

export class ChoiceDecoder implements Sink {
  /** Why the last attempt failed. */
  failure: Cause | undefined
  /** What the engine said of the last attempt. */
  usage: EngineUsage | undefined
  readonly #choice: number
  readonly #owner: ChoiceOwner
  readonly #decoder: StreamDecoder
  readonly #stops: StopMatcher | undefined
  readonly #includeStop: boolean
  readonly #stopIds: ReadonlySet<number>
  readonly #tokenizer: Tokenizer | undefined
  #ids = new Uint32Array(64)
  #length = 0
  /** A stop id that came last: shown only if something follows. */
  #held = NONE
  #pending: TokenLogprob[] = []
  #done = false

  constructor(options: ChoiceOptions, owner: ChoiceOwner) {
    this.#choice = options.choice
    this.#owner = owner
    this.#decoder = options.tokenizer.stream(options.skipSpecial, options.promptIds)
    this.#stops = options.stops.length > 0 ? new StopMatcher(options.stops, options.includeStop) : undefined
    this.#includeStop = options.includeStop
    this.#stopIds = options.stopIds
    this.#tokenizer = options.wantLogprobs ? options.tokenizer : undefined
  }

  /** All ids so far, of every attempt. */
  get ids(): Uint32Array {
    return this.#ids.slice(0, this.#length)
  }

  get length(): number {
    return this.#length
  }

  /** The last id, if it is one that ends answers. */
  get endingId(): number | undefined {
    return this.#held === NONE ? undefined : this.#held
  }

  /** The choice has its finish. */
  get done(): boolean {
    return this.#done
  }

  /** Another attempt begins; its ids follow those that are here. */
  again(): void {
    this.failure = undefined
    this.usage = undefined
  }

  /** The prompt with all ids so far behind it: where the next attempt goes on. */
  after(promptIds: Uint32Array): Uint32Array {
    if (this.#length === 0) return promptIds
    const all = new Uint32Array(promptIds.length + this.#length)
    all.set(promptIds)
    all.set(this.#ids.subarray(0, this.#length), promptIds.length)
    return all
  }

  promptLogprobs(logprobs: PromptLogprobs): void {
    if (!this.#done) this.#owner.promptLogprobs(this.#choice, logprobs)
  }

  push(ids: Int32Array, start: number, end: number, logprobs: RowLogprobs | undefined): void {
    if (this.#done) return
    this.#owner.produced(this.#choice, end - start)
    let text = ''
    for (let i = start; i < end; i++) {
      const id = ids[i]!
      if (this.#held !== NONE) {
        text += this.#decoder.push(this.#held)
        this.#held = NONE
      }
      if (this.#length === this.#ids.length) this.#grow()
      this.#ids[this.#length++] = id
      if (this.#stopIds.has(id)) this.#held = id
      else text += this.#decoder.push(id)
      if (this.#tokenizer !== undefined && logprobs !== undefined) this.#pending.push(rowToken(id, logprobs, i - start, this.#tokenizer))
    }
    if (this.#stops !== undefined && text !== '') {
      text = this.#stops.push(text)
      if (this.#stops.matched !== null) {
        if (text !== '' || this.#pending.length > 0) this.#emit(text)
        this.#finish({ reason: 'stop', matched: this.#stops.matched, ids: this.ids }, false)
        return
      }
    }
    if (text !== '') this.#emit(text)
  }

  end(finish: Finish, usage: EngineUsage): void {
    this.usage = usage
    this.#owner.ended(this.#choice, usage)
    if (this.#done) return
    if (finish.kind === 'abort') this.#fail(finish)
    else this.complete(finish)
  }

  fail(error: AppError): void {
    if (!this.#done) this.#fail(error)
  }

  /** The end of the choice: what was held back goes out. */
  complete(finish: Exclude<Finish, { kind: 'abort' }>): void {
    const matched = finish.kind === 'stop' ? (finish.matched ?? null) : null
    let text = ''
    if (this.#held !== NONE && (finish.kind !== 'stop' || this.#includeStop)) text += this.#decoder.push(this.#held)
    text += this.#decoder.end()
    let stop = matched
    if (this.#stops !== undefined) {
      text = this.#stops.push(text)
      if (this.#stops.matched === null) text += this.#stops.end()
      else stop = this.#stops.matched
    }
    if (text !== '' || this.#pending.length > 0) this.#emit(text)
    this.#finish({ reason: finish.kind, matched: stop, ids: this.ids }, true)
  }

  #fail(cause: Cause): void {
    this.failure = cause
    this.#owner.failed(this.#choice, cause)
  }

  #emit(text: string): void {
    if (this.#pending.length === 0) {
      this.#owner.text(this.#choice, text, this.#tokenizer === undefined ? undefined : [])
      return
    }
    const logprobs = this.#pending
    this.#pending = []
    this.#owner.text(this.#choice, text, logprobs)
  }

  #finish(finish: ChoiceFinish, engineEnded: boolean): void {
    this.#done = true
    this.#owner.finished(this.#choice, finish, engineEnded)
  }

  #grow(): void {
    const larger = new Uint32Array(this.#ids.length * 2)
    larger.set(this.#ids)
    this.#ids = larger
  }
}
