// One sequence inside the mock: made from a request (or refused), then fed one step at a time.
import type { EngineUsage, Finish, GenerateRequest, RowLogprobs, Sink } from '../../types.ts'
import { rowLogprobs } from '../answer/logprobs.ts'
import { draw, drawWith, naturalLength, roll, type Wishes } from '../answer/text.ts'
import { KeyChain } from './kv.ts'

export interface SequencePlan {
  request: GenerateRequest
  prompt: ArrayLike<number> & { readonly length: number }
  sink: Sink
  /** States of the text: before the prompt, after it, and after the part of it that no earlier attempt produced. */
  startHash: number
  hash: number
  originalHash: number
  /** Most tokens to produce; reached: `length`. */
  limit: number
  /** Ids that must come, in order, before EOS: a json_schema's text. */
  script: Int32Array | undefined
  bias: Map<number, number> | undefined
  namespace: number
}

/** What every sequence of an engine shares. */
export interface Voice {
  readonly textIds: Int32Array
  readonly eosIds: readonly number[]
}

export class Sequence {
  readonly plan: SequencePlan
  readonly voice: Voice
  hash: number
  /** Produced ids; `produced` of them are real. */
  out: Int32Array
  produced = 0
  /** How many of them the sink has. */
  delivered = 0
  cachedTokens = 0
  /** Set by the step that ends the sequence. */
  finish: Finish | undefined
  /** Of the newest token, when asked for. */
  logprobs: RowLogprobs | undefined
  admitted = false
  /** Its prompt's KV came from a prefill engine: nothing of it is computed here. */
  arrived = false
  /** Its last step is over: the rank has it no more. */
  left = false
  /** The sink had its terminal call. */
  closed = false
  /** Held KV blocks, first to last. */
  readonly blocks: number[] = []
  /** Further tokens that fit into the held blocks. */
  room = 0
  /** How many of the held blocks carry their key. */
  keyedBlocks = 0
  /** Keys of the first full blocks, as far as they were needed, and the chain that makes the next. */
  readonly keys: number[] = []
  readonly chain: KeyChain
  private readonly endAt: number
  private readonly endsByItself: boolean
  private readonly plain: boolean
  private readonly stops: ReadonlySet<number> | undefined
  private readonly minTokens: number
  private readonly wishes: Wishes

  constructor(plan: SequencePlan, voice: Voice) {
    const { sampling, resumed = 0 } = plan.request
    this.plan = plan
    this.voice = voice
    this.hash = plan.hash
    this.chain = new KeyChain(plan.namespace)
    this.minTokens = sampling.min_new_tokens ?? 0
    const natural =
      plan.script !== undefined
        ? Math.max(0, plan.script.length - resumed) + 1
        : sampling.max_new_tokens === undefined && !sampling.ignore_eos
          ? Math.max(1, this.minTokens + 1, naturalLength(plan.originalHash) - resumed + 1)
          : Number.POSITIVE_INFINITY
    this.endsByItself = natural <= plan.limit
    this.endAt = Math.min(natural, plan.limit)
    // As in SGLang, ignore_eos ignores the request's own stop ids too.
    const stops = sampling.ignore_eos ? [] : [...(sampling.stop_token_ids ?? []), ...voice.eosIds]
    const special = plan.bias !== undefined || (sampling.stop_token_ids ?? []).length > 0
    this.stops = special ? new Set(stops) : undefined
    this.wishes = { bias: plan.bias, banned: this.stops }
    this.plain = !special && plan.script === undefined && plan.request.logprobs === undefined
    this.out = new Int32Array(Math.min(this.endAt, 256))
  }

  /** Prompt and produced tokens together. */
  get length(): number {
    return this.plan.prompt.length + this.produced
  }

  idAt(position: number): number {
    const { prompt } = this.plan
    return position < prompt.length ? prompt[position]! : this.out[position - prompt.length]!
  }

  /** Tokens that a sink without a need for single tokens may wait for: SGLang hands whole answers over in rows of many as well. */
  get rowTokens(): number {
    const { request } = this.plan
    return request.stream || request.logprobs || request.sampling.stop?.length ? 1 : 32
  }

  /** Produces the next id and sets `finish` when it was the last. */
  advance(): number {
    const { textIds, eosIds } = this.voice
    const atEnd = this.produced + 1 === this.endAt
    let id: number
    if (atEnd && this.endsByItself) {
      id = eosIds[0]!
      this.finish = { kind: 'stop', matched: id }
    } else {
      id = this.plain ? textIds[draw(this.hash, 0) % textIds.length]! : this.choose()
      if (atEnd && this.finish === undefined) this.finish = { kind: 'length' }
    }
    if (this.plan.request.logprobs !== undefined)
      this.logprobs = rowLogprobs(id, this.hash, textIds, this.plan.request.logprobs, this.plan.bias)
    if (this.produced === this.out.length) this.grow()
    this.out[this.produced++] = id
    this.hash = roll(this.hash, id)
    return id
  }

  usage(): EngineUsage {
    return { promptTokens: this.plan.prompt.length, completionTokens: this.produced, cachedTokens: this.cachedTokens, reasoningTokens: 0 }
  }

  private choose(): number {
    const { script } = this.plan
    if (script !== undefined) return script[(this.plan.request.resumed ?? 0) + this.produced]!
    const mayStop = this.produced >= this.minTokens
    const id =
      this.stops === undefined
        ? this.voice.textIds[draw(this.hash, 0) % this.voice.textIds.length]!
        : drawWith(this.hash, this.voice.textIds, mayStop ? { bias: this.plan.bias, banned: undefined } : this.wishes)
    if (mayStop && this.stops?.has(id)) this.finish = { kind: 'stop', matched: id }
    return id
  }

  private grow(): void {
    const larger = new Int32Array(Math.min(this.endAt, this.out.length * 2))
    larger.set(this.out)
    this.out = larger
  }
}
