// The way of a text request that chat and completions share: check → convert → stream or gather → answer.
import { AppError } from '../lib/errors.ts'
import type { Pipeline, TextRequest } from '../pipeline/types.ts'
import { type Gathered, gather } from './answer/gather.ts'
import { nvextAnswer } from './answer/nvext.ts'
import { placeHeaders } from './answer/place.ts'
import { tap } from './answer/tap.ts'
import { sumUsage, usageBody } from './answer/usage.ts'
import { type Api, type Call, json, nowSecs } from './call.ts'
import type { GenerationBody } from './schema/common.ts'
import type { StreamOptions } from './stream/text.ts'

/** What differs between the endpoints. */
export interface Endpoint {
  idPrefix: 'chatcmpl-' | 'cmpl-'
  object: string
  stream(requests: readonly TextRequest[], pipeline: Pipeline, options: StreamOptions, signal: AbortSignal): Promise<Response>
  /** One member of `choices`, its index aside. */
  choice(choice: Gathered['choices'][number]): Record<string, unknown>
}

/** Makes the call's id the body's `rid`, unless a header named the request. */
export function takeRid(call: Call, rid: string | null | undefined): void {
  if (rid != null && call.headers.get('x-request-id') === null) call.requestId = rid
}

/** Runs the requests of one call and answers it. Rejects with an AppError while nothing has been sent. */
export function generate(
  requests: readonly TextRequest[],
  body: GenerationBody,
  call: Call,
  api: Api,
  endpoint: Endpoint,
): Promise<Response> {
  if (body.stream_options != null && body.stream !== true)
    throw new AppError('invalid_value', { message: "'stream_options' is only for 'stream': true.", param: 'stream_options' })
  const id = endpoint.idPrefix + call.requestId
  const wanted = body.nvext?.extra_fields
  const seen =
    wanted?.length || body.return_tokens_as_token_ids === true ? tap(api.pipeline, body.return_tokens_as_token_ids === true) : undefined
  const pipeline = seen?.pipeline ?? api.pipeline
  const times = () => ({ receivedAt: call.receivedAt, firstTextAt: seen?.firstTextAt })
  if (body.stream !== true) return whole(id, requests, pipeline, body, call, endpoint, times)
  if (body.return_token_ids === true)
    throw new AppError('unsupported_parameter', {
      message: "'return_token_ids' is not supported in a stream; ask for completion_token_ids in nvext.extra_fields.",
      param: 'return_token_ids',
    })
  const options: StreamOptions = {
    id,
    createdSecs: nowSecs(),
    model: body.model,
    includeUsage: body.stream_options?.include_usage === true,
    continuousUsage: body.stream_options?.continuous_usage_stats === true,
    outcome: (outcome) => call.outcome(outcome),
  }
  if (wanted?.length) options.extras = (answer, finishes) => `"nvext":${JSON.stringify(nvextAnswer(body, answer, finishes, times()))}`
  return endpoint.stream(requests, pipeline, options, call.signal)
}

async function whole(
  id: string,
  requests: readonly TextRequest[],
  pipeline: Pipeline,
  body: GenerationBody,
  call: Call,
  endpoint: Endpoint,
  times: () => Parameters<typeof nvextAnswer>[3],
): Promise<Response> {
  const created = nowSecs()
  const gathered = await gather(requests, pipeline, call.signal)
  const choices: Record<string, unknown>[] = []
  for (const { answer, choices: own } of gathered)
    for (const choice of own) {
      const made = { index: choices.length, ...endpoint.choice(choice) } as Record<string, unknown>
      if (body.return_token_ids === true) {
        made.token_ids = Array.from(choice.finish?.ids ?? [])
        made.prompt_token_ids = Array.from(answer.promptIds)
      }
      choices.push(made)
    }
  const usage = sumUsage(gathered.map((one) => one.usage))
  const { answer } = gathered[0]!
  const made: Record<string, unknown> = { id, object: endpoint.object, created, model: body.model, choices, usage: usageBody(usage) }
  const finishes = gathered.flatMap((one) => one.choices.flatMap((choice) => choice.finish ?? []))
  const nvext = nvextAnswer(body, answer, finishes, times())
  if (nvext !== undefined) made.nvext = nvext
  call.outcome({ workerId: answer.workerId, usage })
  return json(made, placeHeaders(answer))
}
