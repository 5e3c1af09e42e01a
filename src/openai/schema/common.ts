// Fields that several endpoints share. Each is checked alone (check.ts walks the body's own keys), so an absent field costs nothing.
import * as z from 'zod'

/** A field that OpenAI or an engine knows and this server cannot honour: `null` and `idle` (its do-nothing value) pass, the rest is refused. */
export function unsupported(what: string, idle?: unknown) {
  return z
    .unknown()
    .refine((value) => value === null || value === undefined || value === idle, { error: what, params: { code: 'unsupported_parameter' } })
    .optional()
    .meta({ description: `Not supported: ${what}` })
}

export const record = () => z.record(z.string(), z.unknown())
export const int = (min: number, max = Number.MAX_SAFE_INTEGER) => z.int().min(min).max(max)
const flag = () => z.boolean().nullish()
const text = () => z.string().nullish()
const within = (min: number, max: number) => z.number().min(min).max(max).nullish()
const tokenIds = (most: number) => z.array(int(0, 0xffffffff)).max(most)

const isId = (value: unknown) => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 0xffffffff

/** As many token ids as a body can hold: a predicate, because a schema would keep a fault for each of a million elements. */
export const ids = z
  .custom<number[]>((value) => Array.isArray(value) && value.length > 0 && value.every(isId), 'it must be an array of token ids, not empty')
  .meta({ type: 'array', items: { type: 'integer', minimum: 0 }, minItems: 1 })

export const model = z.string().min(1).describe('A name from /v1/models.')

/** It goes into answers, headers and log lines as it is. */
export const requestId = z.string().regex(/^[\w.:@+=/-]{1,128}$/, 'must be 1 to 128 letters, digits or .:@+=/_-')

/** OpenAI's `stop`; token ids may stand among the strings (Dynamo). */
const stop = z.union([z.string(), z.array(z.union([z.string(), int(0, 0xffffffff)])).max(32)]).nullish()

const jsonSchemaFormat = z.strictObject({
  type: z.literal('json_schema'),
  json_schema: z.strictObject({
    name: z.string().regex(/^[\w-]{1,64}$/),
    description: text(),
    schema: record().nullish(),
    strict: flag(),
  }),
})

export const responseFormat = z
  .discriminatedUnion('type', [
    z.strictObject({ type: z.literal('text') }),
    z.strictObject({ type: z.literal('json_object'), schema: record().nullish() }),
    jsonSchemaFormat,
    z.looseObject({ type: z.literal('structural_tag') }),
  ])
  .nullish()

const structuredOutputs = z
  .strictObject({
    json: z.union([z.string(), record()]).nullish(),
    regex: text(),
    choice: z.array(z.string()).min(1).max(1024).nullish(),
    grammar: text(),
    structural_tag: z.union([z.string(), record()]).nullish(),
    json_object: flag(),
  })
  .nullish()

const streamOptions = z.strictObject({ include_usage: flag(), continuous_usage_stats: flag(), include_obfuscation: flag() }).nullish()

const id = z.union([z.string().min(1).max(128), int(0)]).nullish()
const extraFields = ['worker_id', 'timing', 'stop_reason', 'completion_token_ids'] as const
const unservedFields = ['routed_experts', 'engine_data', 'prompt_logprobs']

/** Dynamo's request extension. */
export const nvext = z
  .strictObject({
    greed_sampling: flag(),
    ignore_eos: flag(),
    top_k: int(-1, 0x7fffffff).nullish(),
    repetition_penalty: z.number().gt(0).max(2).nullish(),
    use_raw_prompt: flag().describe('Accepted; messages still go through the template.'),
    annotations: z.array(z.string()).max(64).nullish().describe('Accepted and not answered.'),
    backend_instance_id: id.describe('Only this worker; with prefill and decode apart, on the decode side.'),
    prefill_worker_id: id.describe('Only this worker on the prefill side.'),
    decode_worker_id: id.describe('Another name of backend_instance_id.'),
    dp_rank: int(0, 65535).nullish(),
    prefill_dp_rank: int(0, 65535).nullish(),
    token_data: ids.nullish(),
    cache_salt: z.string().max(1024).nullish(),
    max_thinking_tokens: unsupported('a thinking budget needs a reasoning parser'),
    router_config_override: z
      .strictObject({
        overlap_score_credit: z.number().min(0).nullish(),
        prefill_load_scale: z.number().min(0).nullish(),
        router_temperature: z.number().min(0).nullish(),
        assume_kv_reuse: flag(),
        track_prefill_tokens: flag(),
        shared_cache_multiplier: unsupported('there is no cache that workers share'),
      })
      .nullish()
      .describe('The router’s settings for this request only.'),
    metadata_upload: unsupported('uploads of engine metadata are not served'),
    extra_fields: z
      .array(
        z
          .string()
          .refine((name) => !unservedFields.includes(name), {
            error: `this server can add ${extraFields.join(', ')}`,
            params: { code: 'unsupported_parameter' },
          })
          .pipe(z.enum(extraFields)),
      )
      .max(16)
      .nullish(),
    agent_hints: z
      .strictObject({
        priority: z.int().nullish(),
        strict_priority: z.union([z.boolean(), z.int()]).nullish(),
        osl: int(0).nullish().describe('The length that is expected of the answer, in tokens.'),
        speculative_prefill: flag(),
      })
      .nullish(),
  })
  .nullish()

/** What chat and completions accept alike: sampling, constraints, routing, and OpenAI's bookkeeping fields. */
export const generation = {
  model,
  frequency_penalty: within(-2, 2),
  presence_penalty: within(-2, 2),
  repetition_penalty: z.number().gt(0).max(2).nullish(),
  temperature: within(0, 2),
  top_p: within(0, 1),
  top_k: int(-1, 0x7fffffff).nullish().describe('-1 or 0: all tokens.'),
  min_p: within(0, 1),
  seed: z.int().nullish(),
  n: int(1, 128).nullish(),
  logit_bias: z.record(z.string().regex(/^\d{1,10}$/, 'must be a token id in decimal digits'), z.number().min(-100).max(100)).nullish(),
  max_tokens: int(1, 0x7fffffff).nullish(),
  min_tokens: int(0, 0x7fffffff).nullish(),
  stop,
  stop_token_ids: tokenIds(1024).nullish(),
  stop_regex: z.union([z.string(), z.array(z.string()).max(32)]).nullish(),
  ignore_eos: flag(),
  no_stop_trim: flag(),
  include_stop_str_in_output: flag(),
  skip_special_tokens: flag(),
  spaces_between_special_tokens: flag(),
  stream: flag(),
  stream_options: streamOptions,
  response_format: responseFormat,
  json_schema: z.union([z.string(), record()]).nullish(),
  regex: text(),
  ebnf: text(),
  structural_tag: z.union([z.string(), record()]).nullish(),
  guided_json: z.union([z.string(), record()]).nullish(),
  guided_regex: text(),
  guided_grammar: text(),
  guided_choice: z.array(z.string()).min(1).max(1024).nullish(),
  guided_decoding_backend: text(),
  guided_whitespace_pattern: unsupported('put the white space into a regex or a grammar'),
  structured_outputs: structuredOutputs,
  return_tokens_as_token_ids: flag(),
  return_token_ids: flag(),
  custom_params: record().nullish(),
  custom_logit_processor: unsupported('logit processors are code, which is not accepted from clients'),
  session_params: unsupported('sessions are not served'),
  return_hidden_states: unsupported('hidden states are not served', false),
  return_routed_experts: unsupported('routed experts are not served', false),
  rid: requestId.nullish(),
  priority: z.int().nullish(),
  cache_salt: z.string().max(1024).nullish(),
  extra_key: z.string().max(1024).nullish(),
  lora_path: text(),
  data_parallel_rank: int(0, 65535).nullish(),
  routed_dp_rank: int(0, 65535).nullish(),
  nvext,
  user: text(),
  metadata: record().nullish(),
  store: flag(),
  service_tier: text(),
  safety_identifier: text(),
  prompt_cache_key: text(),
  prompt_cache_retention: text(),
}

const generationObject = () => z.strictObject(generation)
export type GenerationBody = z.infer<ReturnType<typeof generationObject>>
