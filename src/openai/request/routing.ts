// Where a request wants to go: Dynamo's headers and nvext, SGLang's own fields. Headers win over the body.
import type { TextRequest } from '../../pipeline/types.ts'
import type { RouterOverrides } from '../../router/router.ts'
import type { GenerationBody } from '../schema/common.ts'
import { invalid } from './faults.ts'

export type Routing = Pick<
  TextRequest,
  'workerId' | 'dpRank' | 'prefillWorkerId' | 'prefillDpRank' | 'sessionId' | 'cacheSalt' | 'priority' | 'expectedTokens' | 'overrides'
>

type RoutingBody = Partial<Pick<GenerationBody, 'nvext' | 'priority' | 'cache_salt' | 'routed_dp_rank' | 'data_parallel_rank'>>

/** Only the members that were asked for. Throws `invalid_value` that names the header. */
export function routingOf(body: RoutingBody, headers: Headers): Routing {
  const routing: Routing = {}
  const { nvext } = body
  const worker = idIn(headers, 'x-dynamo-worker-instance-id') ?? nvext?.backend_instance_id ?? nvext?.decode_worker_id
  if (worker != null) routing.workerId = String(worker)
  const rank = rankIn(headers, 'x-dynamo-dp-rank') ?? nvext?.dp_rank ?? body.routed_dp_rank ?? body.data_parallel_rank
  if (rank != null) routing.dpRank = rank
  const prefill = idIn(headers, 'x-dynamo-prefill-instance-id') ?? nvext?.prefill_worker_id
  if (prefill != null) routing.prefillWorkerId = String(prefill)
  const prefillRank = rankIn(headers, 'x-dynamo-prefill-dp-rank') ?? nvext?.prefill_dp_rank
  if (prefillRank != null) routing.prefillDpRank = prefillRank
  const session = idIn(headers, 'x-dynamo-session-id') ?? idIn(headers, 'x-session-id')
  if (session !== undefined) routing.sessionId = session
  const salt = headers.get('x-tenant-id') ?? nvext?.cache_salt ?? body.cache_salt
  if (salt) routing.cacheSalt = salt
  const priority = body.priority ?? nvext?.agent_hints?.priority
  if (priority != null) routing.priority = priority
  if (nvext?.agent_hints?.osl != null) routing.expectedTokens = nvext.agent_hints.osl
  const overrides = overridesOf(nvext)
  if (overrides !== undefined) routing.overrides = overrides
  return routing
}

function overridesOf(nvext: GenerationBody['nvext']): RouterOverrides | undefined {
  const given = nvext?.router_config_override
  if (given == null) return undefined
  const overrides: RouterOverrides = {}
  if (given.overlap_score_credit != null) overrides.overlapScoreCredit = given.overlap_score_credit
  if (given.prefill_load_scale != null) overrides.prefillLoadScale = given.prefill_load_scale
  if (given.router_temperature != null) overrides.temperature = given.router_temperature
  if (given.assume_kv_reuse != null) overrides.assumeKvReuse = given.assume_kv_reuse
  if (given.track_prefill_tokens != null) overrides.trackPrefillTokens = given.track_prefill_tokens
  return overrides
}

function rankIn(headers: Headers, name: string): number | undefined {
  const value = headers.get(name)
  if (value === null) return undefined
  if (!/^\d{1,5}$/.test(value) || Number(value) > 65535) throw invalid(name, 'the header must be a rank, an integer from 0 to 65535')
  return Number(value)
}

/** An empty header is none. */
function idIn(headers: Headers, name: string): string | undefined {
  const value = headers.get(name)
  if (value === null || value === '') return undefined
  if (value.length > 256) throw invalid(name, `the header may have 256 characters, but it has ${value.length}`)
  return value
}
