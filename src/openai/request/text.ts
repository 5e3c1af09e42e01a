// What chat and completions share on the way to the pipeline's TextRequest: routing hints, stops, sampling.
import type { Prompt, TextRequest } from '../../pipeline/types.ts'
import type { Call } from '../call.ts'
import type { GenerationBody } from '../schema/common.ts'
import { grammarOf } from './grammar.ts'
import { routingOf } from './routing.ts'
import { samplingOf, stopsOf } from './sampling.ts'

/** The request without its prompt. */
export function textRequest(
  body: GenerationBody,
  call: Pick<Call, 'requestId' | 'receivedAt' | 'headers'>,
  prompt: Prompt,
  maxTokens: number | undefined,
  maxTokensParam = 'max_tokens',
): TextRequest {
  const request: TextRequest = {
    requestId: call.requestId,
    model: body.model,
    receivedAt: call.receivedAt,
    prompt,
    sampling: samplingOf(body, maxTokens, maxTokensParam),
    stops: stopsOf(body),
    includeStop: body.include_stop_str_in_output === true || body.no_stop_trim === true,
    n: body.n ?? 1,
    stream: body.stream === true,
    echo: false,
    skipSpecial: body.skip_special_tokens !== false,
  }
  const constraint = grammarOf(body)
  if (constraint !== undefined) {
    request.constrainedBy = constraint[0]
    Object.assign(request.sampling, constraint[1])
  }
  if (body.extra_key) request.extraKey = body.extra_key
  if (body.lora_path) request.lora = body.lora_path
  return Object.assign(request, routingOf(body, call.headers))
}
