// How long a mock engine's steps take: polynomials in simulated milliseconds. The defaults are those of Dynamo's mocker (fitted to 1.6.1,
// speedup 1, 16,384 blocks of 16: prefill 26 ms at 440 tokens, 81 at 3,500, 305 at 14,000; decode 5.8, 7.1 and 9.8 ms a step at 70, 7,000 and
// 20,800 tokens of context), so that both can run the same trace.

export interface Timing {
  /** A prefill step costs this… */
  prefillBaseMs: number
  /** …and this for each prompt token that the cache does not have… */
  prefillTokenMs: number
  /** …and this times their square, for attention. */
  prefillSquareMs: number
  /** Prompt tokens of one prefill step; a longer prompt takes several. */
  prefillChunkTokens: number
  /** A decode step costs this… */
  decodeBaseMs: number
  /** …and this times the part of the KV room that its rows' tokens take… */
  decodeLoadMs: number
  /** …and this times the square of that part. */
  decodeLoadSquareMs: number
}

export const defaultTiming: Timing = {
  prefillBaseMs: 16.5,
  prefillTokenMs: 0.01518,
  prefillSquareMs: 4.2e-7,
  prefillChunkTokens: 8192,
  decodeBaseMs: 5.74,
  decodeLoadMs: 54,
  decodeLoadSquareMs: -25.7,
}

/** Time to compute `tokens` prompt tokens, in simulated ms. */
export function prefillMs(timing: Timing, tokens: number): number {
  let ms = 0
  let left = tokens
  do {
    const chunk = Math.min(left, timing.prefillChunkTokens)
    ms += timing.prefillBaseMs + timing.prefillTokenMs * chunk + timing.prefillSquareMs * chunk * chunk
    left -= chunk
  } while (left > 0)
  return ms
}

/** Time of one decode step whose rows hold `part` (0 to 1) of the KV room, in simulated ms. */
export function decodeMs(timing: Timing, part: number): number {
  const load = Math.min(1, part)
  return timing.decodeBaseMs + timing.decodeLoadMs * load + timing.decodeLoadSquareMs * load * load
}
