// Dynamo's answer extension: the members that the request named in nvext.extra_fields.
import type { Answer, ChoiceFinish } from '../../pipeline/types.ts'
import type { GenerationBody } from '../schema/common.ts'

export interface NvextTimes {
  receivedAt: number
  firstTextAt: number | undefined
}

/** The `nvext` member of an answer, or undefined when nothing was asked for. */
export function nvextAnswer(body: GenerationBody, answer: Answer, finishes: readonly ChoiceFinish[], times: NvextTimes) {
  const fields = body.nvext?.extra_fields
  if (fields == null || fields.length === 0) return undefined
  const made: Record<string, unknown> = {}
  for (const field of fields) {
    if (field === 'worker_id') made.worker_id = workers(answer)
    else if (field === 'timing') made.timing = timing(times, answer)
    else if (field === 'stop_reason') made.stop_reason = one(finishes.map((finish) => finish.matched))
    else made.completion_token_ids = one(finishes.map((finish) => [...finish.ids]))
  }
  return made
}

/** Without a prefill side of its own, prefill and decode ran on the same worker. */
function workers({ workerId, dpRank, prefillWorkerId, prefillDpRank }: Answer) {
  return {
    prefill_worker_id: prefillWorkerId ?? workerId,
    prefill_dp_rank: (prefillWorkerId === undefined ? dpRank : prefillDpRank) ?? 0,
    decode_worker_id: workerId,
    decode_dp_rank: dpRank ?? 0,
  }
}

function timing({ receivedAt, firstTextAt }: NvextTimes, { usage }: Answer) {
  return {
    request_received_ms: Math.round(performance.timeOrigin + receivedAt),
    ttft_ms: firstTextAt === undefined ? null : rounded(firstTextAt - receivedAt),
    total_time_ms: rounded(performance.now() - receivedAt),
    kv_hit_rate: usage.promptTokens === 0 ? 0 : rounded(usage.cachedTokens / usage.promptTokens),
  }
}

/** To three places. */
const rounded = (value: number): number => Math.round(value * 1000) / 1000

/** The value itself for one choice, a list for several. */
function one<T>(values: T[]): T | T[] {
  return values.length === 1 ? values[0]! : values
}
