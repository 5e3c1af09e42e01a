// From a GenerateRequest to a sequence's plan, or to the refusal that SGLang would give: checked before anything is queued.
import { padPictures } from '../../lib/media-pads.ts'
import type { GenerateRequest, Sink } from '../types.ts'
import { jsonInstance } from './answer/json-instance.ts'
import { roll, rollAll, seedHash } from './answer/text.ts'
import type { MockConfig } from './options.ts'
import type { SequencePlan } from './rank/sequence.ts'

export interface Refusal {
  kind: 'refusal'
  message: string
}

/** A request's texts as ids: the prompt, when it came as text, and the answer, when a json_schema decides it. */
export interface Texts {
  prompt: Uint32Array | undefined
  script: Int32Array | undefined
}

const noTexts: Texts = { prompt: undefined, script: undefined }

/** Tokenizes what has to be; a promise only when the tokenizer needs one. */
export function encodeTexts(request: GenerateRequest, config: MockConfig): Texts | Refusal | Promise<Texts> {
  const { json_schema: schema, regex, ebnf, structural_tag: tag } = request.sampling
  const { encode } = config
  if (regex !== undefined || ebnf !== undefined || tag !== undefined) {
    return refuse('the mock engine has no regex grammar; use a real engine')
  }
  if (schema === undefined && request.promptText === undefined) return noTexts
  if (encode === undefined) return refuse('the mock engine was given no tokenizer, so it can neither take text nor follow a json_schema')
  const made = schema === undefined ? undefined : jsonInstance(schema)
  if (made?.kind === 'invalid') return refuse(`invalid json_schema: ${made.message}`)
  const prompt = request.promptText === undefined ? undefined : encode(request.promptText)
  const script = made === undefined ? undefined : encode(JSON.stringify(made.value))
  if (!(prompt instanceof Promise) && !(script instanceof Promise)) return textsOf(prompt, script)
  return Promise.all([prompt, script]).then(([promptIds, scriptIds]) => textsOf(promptIds, scriptIds))
}

function textsOf(prompt: Uint32Array | undefined, script: Uint32Array | undefined): Texts {
  return { prompt, script: script && Int32Array.from(script) }
}

/** A plan, or why this engine does not take the request (a 400 in every case). */
export function planRequest(request: GenerateRequest, texts: Texts, sink: Sink, config: MockConfig): SequencePlan | Refusal {
  const { sampling } = request
  const unlike = checkMedia(request, config)
  if (unlike !== undefined) return refuse(unlike)
  // Its text and its blocks follow from the padded ids, so an answer without its picture is another answer.
  const prompt = texts.prompt ?? (request.media ? padPictures(request.promptIds, request.media, 'wide') : request.promptIds)
  const resumed = request.resumed ?? 0
  const space = Math.min(config.contextLength, config.totalKvTokens) - prompt.length
  if (prompt.length === 0) return refuse('the prompt is empty')
  if (resumed < 0 || resumed > prompt.length) return refuse(`resumed (${resumed}) is not within the prompt of ${prompt.length} tokens`)
  if (space < 1)
    return refuse(
      `the prompt of ${prompt.length} tokens leaves no room: the model takes ${prompt.length + space} tokens, the answer included`,
    )
  if (request.dpRank !== undefined && !(request.dpRank >= 0 && request.dpRank < config.dpSize)) {
    return refuse(`dp rank ${request.dpRank} does not exist; there are ${config.dpSize}`)
  }
  const wrong = checkBootstrap(request, config)
  if (wrong !== undefined) return refuse(wrong)
  const asked = sampling.max_new_tokens ?? Number.POSITIVE_INFINITY
  if (asked < 0) return refuse(`max_new_tokens must not be negative, got ${asked}`)
  if ((sampling.min_new_tokens ?? 0) > asked)
    return refuse(`min_new_tokens (${sampling.min_new_tokens}) is above max_new_tokens (${asked})`)
  const bias = readBias(sampling.logit_bias, config.vocabSize)
  if (bias !== undefined && !(bias instanceof Map)) return bias

  const start = seedHash(config.seed, sampling.sampling_seed ?? 0)
  const originalHash = rollAll(start, prompt, 0, prompt.length - resumed)
  return {
    request,
    prompt,
    sink,
    startHash: start,
    originalHash,
    hash: rollAll(originalHash, prompt, prompt.length - resumed, prompt.length),
    limit: Math.min(asked, space),
    script: texts.script,
    bias,
    namespace: namespaceOf(request),
  }
}

/** Pictures lie inside the prompt, in order, with at least one row each; rows of a tower elsewhere are as many as their places. */
function checkMedia({ media = [], promptIds, bootstrap }: GenerateRequest, { rowsOnly, role }: MockConfig): string | undefined {
  let end = 0
  for (const [i, { kind, offset, tokens, placeholder, file, frames, rows }] of media.entries()) {
    if (offset < end || tokens < 1 || offset + tokens > promptIds.length)
      return `picture ${i} lies at ${offset} to ${offset + tokens}, outside its part of the prompt`
    const places = promptIds.subarray(offset, offset + tokens).filter((id) => id === placeholder).length
    if (places === 0) return `picture ${i} has no rows in the prompt`
    end = offset + tokens
    // The prompt's KV comes from elsewhere.
    if (role === 'decode' && bootstrap !== undefined) continue
    if (kind !== 'video' && file.length === 0) return `picture ${i} has no file`
    if (kind === 'video' && !frames?.length) return `picture ${i} is a clip without frames`
    if (rowsOnly && rows === undefined) return `picture ${i} was not encoded, and this engine was started without a tower`
    if (rows !== undefined && (rows.rows !== places || rows.bytes.length !== places * rows.dim * (rows.type === 'float32' ? 4 : 2)))
      return `picture ${i} has ${rows.rows} rows in ${rows.bytes.length} bytes for ${places} places`
  }
  return undefined
}

/** SGLang's rules for a request's other leg. */
function checkBootstrap({ bootstrap, dpRank }: GenerateRequest, { role, dpSize }: MockConfig): string | undefined {
  if (bootstrap === undefined) return undefined
  const { room, prefillDpRank } = bootstrap
  if (role === 'aggregated')
    return 'this engine was not started with --disaggregation-mode prefill or decode, so a bootstrap means nothing to it'
  if (!Number.isSafeInteger(room) || room < 1) return `a bootstrap room is a whole number from 1 to 2^53 - 1, not ${room}`
  const implied = prefillDpRank ?? room % dpSize
  if (role === 'prefill' && dpRank !== undefined && dpRank !== implied)
    return `follow_bootstrap_room conflict: dispatched to dp_rank ${dpRank} but bootstrap_room ${room} implies dp_rank ${implied}`
  return undefined
}

function readBias(given: Record<string, number> | undefined, vocabSize: number): Map<number, number> | undefined | Refusal {
  const entries = Object.entries(given ?? {})
  if (entries.length === 0) return undefined
  const bias = new Map<number, number>()
  for (const [key, value] of entries) {
    const id = Number(key)
    if (!(Number.isInteger(id) && id >= 0 && id < vocabSize))
      return refuse(`logit_bias names the token '${key}', but the vocabulary has ids 0 to ${vocabSize - 1}`)
    bias.set(id, value)
  }
  return bias
}

/** Requests with another adapter, salt or key never share cached blocks. */
function namespaceOf(request: GenerateRequest): number {
  let hash = 0
  for (const part of [request.lora, request.cacheSalt, request.extraKey]) {
    if (part === undefined) hash = roll(hash, -1)
    else for (let i = 0; i <= part.length; i++) hash = roll(hash, i < part.length ? part.charCodeAt(i) : -2)
  }
  return hash
}

function refuse(message: string): Refusal {
  return { kind: 'refusal', message }
}
