// Dynamo's answer extension: the members that the request named in nvext.extra_fields.
import type { Answer, ChoiceFinish } from '../pipeline/types.ts'
import type { GenerationBody } from './schema/common.ts'

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
    else if (field === 'timing') made.timing = timing(times)
    else if (field === 'stop_reason') made.stop_reason = one(finishes.map((finish) => finish.matched))
    else made.completion_token_ids = one(finishes.map((finish) => [...finish.ids]))
  }
  return made
}

/** Prefill and decode ran on the same worker. */
function workers(answer: Answer) {
  const { workerId, dpRank = null } = answer
  return { prefill_worker_id: workerId, prefill_dp_rank: dpRank, decode_worker_id: workerId, decode_dp_rank: dpRank }
}

function timing({ receivedAt, firstTextAt }: NvextTimes) {
  return {
    request_received_ms: Math.round(performance.timeOrigin + receivedAt),
    ttft_ms: firstTextAt === undefined ? null : rounded(firstTextAt - receivedAt),
    total_time_ms: rounded(performance.now() - receivedAt),
  }
}

const rounded = (ms: number): number => Math.round(ms * 1000) / 1000

/** The value itself for one choice, a list for several. */
function one<T>(values: T[]): T | T[] {
  return values.length === 1 ? values[0]! : values
}
