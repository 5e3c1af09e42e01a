// Token counts in OpenAI's shape.
import type { Usage } from '../../pipeline/types.ts'

/** Token counts of several answers together; none is nothing. */
export function sumUsage(counts: readonly Usage[]): Usage {
  if (counts.length === 1) return counts[0]!
  const sum: Usage = { promptTokens: 0, completionTokens: 0, cachedTokens: 0, reasoningTokens: 0 }
  for (const usage of counts) {
    sum.promptTokens += usage.promptTokens
    sum.completionTokens += usage.completionTokens
    sum.cachedTokens += usage.cachedTokens
    sum.reasoningTokens += usage.reasoningTokens
    if (usage.audioTokens !== undefined) sum.audioTokens = (sum.audioTokens ?? 0) + usage.audioTokens
  }
  return sum
}

/** The `usage` member of answers and chunks. */
export function usageBody(usage: Usage) {
  const { cachedTokens, audioTokens } = usage
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    total_tokens: usage.promptTokens + usage.completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens, ...(audioTokens === undefined ? {} : { audio_tokens: audioTokens }) },
    completion_tokens_details: { reasoning_tokens: usage.reasoningTokens },
  }
}
