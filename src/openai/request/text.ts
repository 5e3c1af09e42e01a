// What chat and completions share on the way to the pipeline's TextRequest: routing hints, stops, sampling.
import type { Prompt, TextRequest } from '../../pipeline/types.ts'
import type { Call } from '../call.ts'
import type { GenerationBody } from '../schema/common.ts'
import { invalid } from './faults.ts'
import { samplingOf, stopsOf } from './sampling.ts'

/** The request without its prompt; headers win over the body (Dynamo's order). */
export function textRequest(
  body: GenerationBody,
  call: Pick<Call, 'requestId' | 'receivedAt' | 'headers'>,
  prompt: Prompt,
  maxTokens: number | undefined,
  maxTokensParam = 'max_tokens',
): TextRequest {
  const { nvext } = body
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
  const priority = body.priority ?? nvext?.agent_hints?.priority
  if (priority != null) request.priority = priority
  const salt = call.headers.get('x-tenant-id') ?? nvext?.cache_salt ?? body.cache_salt
  if (salt) request.cacheSalt = salt
  if (body.extra_key) request.extraKey = body.extra_key
  if (body.lora_path) request.lora = body.lora_path
  const worker = call.headers.get('x-dynamo-worker-instance-id') ?? nvext?.backend_instance_id ?? nvext?.decode_worker_id
  if (worker != null) request.workerId = String(worker)
  const rank = rankOf(call.headers.get('x-dynamo-dp-rank')) ?? nvext?.dp_rank ?? body.routed_dp_rank ?? body.data_parallel_rank
  if (rank != null) request.dpRank = rank
  return request
}

function rankOf(header: string | null): number | undefined {
  if (header === null) return undefined
  if (!/^\d{1,5}$/.test(header)) throw invalid('x-dynamo-dp-rank', 'the header must be a rank, an integer from 0')
  return Number(header)
}
