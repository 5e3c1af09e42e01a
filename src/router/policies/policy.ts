// Seam: which of the ranks that can take a request gets it. A policy looks and names one; the caller books. test/suites/policy.suite.ts holds all.

/** One DP rank of one worker, as a policy sees it. */
export interface Candidate {
  readonly workerId: string
  readonly rank: number
  /** Booked on it: prompt tokens not computed yet, blocks held, requests. */
  readonly prefillTokens: number
  readonly blocks: number
  readonly requests: number
  /** Requests that its engine reports beyond the booked ones: those of other frontends and other clients. */
  readonly foreign: number
  /** When it was last chosen: a count over all placements, 0 for never. */
  readonly lastPlaced: number
  /** In blocks, lower is better; only set for policies with `scored`. */
  readonly cost: number
}

export interface PickOptions {
  /** 0 takes the best; above it the choice is by softmax. */
  readonly temperature: number
  /** From 0 to below 1. */
  random(): number
}

export interface Policy {
  readonly name: string
  /** Wants `cost`: the prompt is hashed and looked up in the index first. */
  readonly scored: boolean
  /** Takes only requests that name their worker. */
  readonly pinnedOnly: boolean
  /** The position of the chosen one; `candidates` is never empty. Changes nothing. */
  pick(candidates: readonly Candidate[], options: PickOptions): number
}
