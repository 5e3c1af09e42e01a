// Every knob of the router in one flat type: flags, environment and tests fill it, nothing below reads settings elsewhere.

export interface RouterOptions {
  /** --router-mode: a name of policies/registry.ts; unknown names are refused with the list. */
  readonly mode: string
  /** --router-cost: a name of cost.ts; only for `kv`. */
  readonly cost: string
  /** --router-temperature: 0 takes the cheapest, above it softmax over costs. */
  readonly temperature: number

  /** --router-kv-overlap-score-credit: worth of a prompt block that the rank's GPU holds, in blocks; 0: caches do not count at all. */
  readonly overlapScoreCredit: number
  /** --router-kv-overlap-score-credit-decay: how fast that worth falls with the prefill work waiting on the rank. */
  readonly overlapScoreCreditDecay: number
  /** --router-host-cache-hit-weight: the same for a block in pinned host memory. */
  readonly hostCacheHitWeight: number
  /** --router-disk-cache-hit-weight: the same for a block on disk. */
  readonly diskCacheHitWeight: number
  /** --router-prefill-load-scale: weight of prefill work against decode blocks. */
  readonly prefillLoadScale: number
  /** --router-decode-active-request-weight: cost of each request that runs on the rank, in blocks. */
  readonly decodeActiveRequestWeight: number

  /** --router-kv-events; false: approximate mode, the router assumes that a rank holds what it was sent for `ttlSecs`. */
  readonly useKvEvents: boolean
  /** --router-ttl-secs: how long approximate mode believes in a block. */
  readonly ttlSecs: number
  /** --router-predicted-ttl-secs: beside events, how long a rank counts as holding what was just sent to it; 0 turns that off. */
  readonly predictedTtlSecs: number

  /** --router-track-active-blocks: decode blocks are booked. */
  readonly trackActiveBlocks: boolean
  /** --router-track-output-blocks: half of the answer's greatest length is booked as blocks too. */
  readonly trackOutputBlocks: boolean
  /** --router-assume-kv-reuse: blocks that requests of one rank share are booked once. */
  readonly assumeKvReuse: boolean
  /** --router-track-prefill-tokens: prompt tokens are booked until the first token. */
  readonly trackPrefillTokens: boolean

  /** --active-decode-blocks-threshold: a rank is busy above this part (0 to 1) of its blocks. */
  readonly activeDecodeBlocksThreshold?: number | undefined
  /** --active-prefill-tokens-threshold: a rank is busy above this many booked prompt tokens. */
  readonly activePrefillTokensThreshold?: number | undefined
  /** --active-prefill-tokens-threshold-frac: the same as a multiple of the engine's longest prefill step. */
  readonly activePrefillTokensThresholdFrac?: number | undefined
  /** --engine-request-limit: requests on one rank at most; further ones wait in the queue. */
  readonly engineRequestLimit?: number | undefined
  /** --overload-status: what `overloaded` answers with. */
  readonly overloadStatus: number

  /** --router-queue-threshold: requests wait while every rank has more prompt tokens booked than this many longest prefill steps. */
  readonly queueThreshold?: number | undefined
  /** --router-queue-policy: `fcfs` or `wspt` (weighted shortest processing time), within one priority class. */
  readonly queuePolicy: 'fcfs' | 'wspt'
  /** --router-queue-limit: requests that may wait; more are `overloaded`. */
  readonly queueLimit: number
  /** --router-queue-deadline-secs: how long one may wait before it is `overloaded`. */
  readonly queueDeadlineSecs: number

  /** --router-session-affinity-ttl-secs: a session keeps its rank this long after its last request; absent: off. */
  readonly sessionAffinityTtlSecs?: number | undefined
  /** --router-session-affinity-mode: `hard` takes that rank or none, `soft` another when it is excluded. */
  readonly sessionAffinityMode: 'hard' | 'soft'

  /** --router-breaker-failures: engine failures in a row that open a worker's breaker; 0 turns it off. */
  readonly breakerFailures: number
  /** --router-breaker-open-secs: how long it stays open before one request may try. */
  readonly breakerOpenSecs: number

  /** --router-log-decisions: the line of each decision at level info, not debug. */
  readonly logDecisions: boolean
}

export const defaultRouterOptions: RouterOptions = {
  mode: 'kv',
  cost: 'reuse',
  temperature: 0,
  overlapScoreCredit: 1,
  overlapScoreCreditDecay: 0,
  hostCacheHitWeight: 0.75,
  diskCacheHitWeight: 0.25,
  prefillLoadScale: 1,
  decodeActiveRequestWeight: 0,
  useKvEvents: true,
  ttlSecs: 120,
  predictedTtlSecs: 5,
  trackActiveBlocks: true,
  trackOutputBlocks: false,
  assumeKvReuse: true,
  trackPrefillTokens: true,
  overloadStatus: 529,
  queuePolicy: 'fcfs',
  queueLimit: 1024,
  queueDeadlineSecs: 60,
  sessionAffinityMode: 'hard',
  breakerFailures: 3,
  breakerOpenSecs: 5,
  logDecisions: false,
}
