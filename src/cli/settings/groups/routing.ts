// Which worker gets a request: the policy, its cost formula, and what it believes the workers' caches hold.
import { costNames } from '../../../router/cost.ts'
import { defaultRouterOptions as standard } from '../../../router/options.ts'
import { choice, decimal, flag, flagOn, integer } from '../setting.ts'

const reserved = { state: 'reserved' } as const

export const routerModes = ['kv', 'round-robin', 'random', 'least-loaded', 'power-of-two', 'direct'] as const
const policies = ['default', ...routerModes] as const

export const routingSettings = {
  routerMode: choice(
    'routing',
    '--router-mode',
    'DYN_ROUTER_MODE',
    routerModes,
    'kv',
    'How a worker is chosen: by what its cache holds and its load (kv), in turn, …',
  ),
  routerCost: choice('routing', '--router-cost', 'DYN_ROUTER_COST', costNames, standard.cost, 'Cost formula of kv'),
  routerTemperature: decimal(
    'routing',
    '--router-temperature',
    'DYN_ROUTER_TEMPERATURE',
    standard.temperature,
    'kv: 0 takes the cheapest worker, above it chance decides by cost',
    { min: 0 },
  ),
  prefillPolicy: choice(
    'routing',
    '--router-prefill-policy',
    'DYN_ROUTER_PREFILL_POLICY',
    policies,
    undefined,
    'Another --router-mode for prefill workers',
    reserved,
  ),
  decodePolicy: choice(
    'routing',
    '--router-decode-policy',
    'DYN_ROUTER_DECODE_POLICY',
    policies,
    undefined,
    'Another --router-mode for decode workers',
    reserved,
  ),
  minInitialWorkers: integer(
    'routing',
    '--router-min-initial-workers',
    'DYN_ROUTER_MIN_INITIAL_WORKERS',
    0,
    'Workers that a frontend waits for before it is ready',
    { min: 0 },
  ),

  overlapScoreCredit: decimal(
    'routing',
    '--router-kv-overlap-score-credit',
    'DYN_ROUTER_KV_OVERLAP_SCORE_CREDIT',
    standard.overlapScoreCredit,
    'Worth of a prompt block that the worker holds, in blocks of work',
    { min: 0 },
  ),
  overlapScoreCreditDecay: decimal(
    'routing',
    '--router-kv-overlap-score-credit-decay',
    'DYN_ROUTER_KV_OVERLAP_SCORE_CREDIT_DECAY',
    standard.overlapScoreCreditDecay,
    'How fast that worth falls with the prompt work that waits on the worker; 0: not at all',
    { min: 0 },
  ),
  overlapScoreWeight: decimal(
    'routing',
    '--router-kv-overlap-score-weight --kv-overlap-score-weight',
    'DYN_ROUTER_KV_OVERLAP_SCORE_WEIGHT',
    undefined,
    'Old name of --router-prefill-load-scale',
    { min: 0, also: ['DYN_OVERLAP_SCORE_WEIGHT'], deprecated: 'use --router-prefill-load-scale', hidden: true },
  ),
  hostCacheHitWeight: decimal(
    'routing',
    '--router-host-cache-hit-weight',
    'DYN_ROUTER_HOST_CACHE_HIT_WEIGHT',
    standard.hostCacheHitWeight,
    "Worth of a block in the worker's pinned host memory",
    { min: 0, max: 1 },
  ),
  diskCacheHitWeight: decimal(
    'routing',
    '--router-disk-cache-hit-weight',
    'DYN_ROUTER_DISK_CACHE_HIT_WEIGHT',
    standard.diskCacheHitWeight,
    "Worth of a block on the worker's disk",
    { min: 0, max: 1 },
  ),
  prefillLoadScale: decimal(
    'routing',
    '--router-prefill-load-scale',
    'DYN_ROUTER_PREFILL_LOAD_SCALE',
    standard.prefillLoadScale,
    'Weight of prompt work against blocks in use',
    { min: 0 },
  ),
  decodeActiveRequestWeight: decimal(
    'routing',
    '--router-decode-active-request-weight',
    'DYN_ROUTER_DECODE_ACTIVE_REQUEST_WEIGHT',
    standard.decodeActiveRequestWeight,
    'Cost of each request that runs on a worker, in blocks',
    { min: 0 },
  ),
  loadAware: flag('routing', '--load-aware', 'DYN_ROUTER_LOAD_AWARE', 'kv by load alone, whatever the caches hold', {
    deprecated: 'it is --router-kv-overlap-score-credit 0 --no-router-kv-events --no-router-assume-kv-reuse',
  }),

  useKvEvents: flagOn(
    'routing',
    '--router-kv-events --kv-events',
    'DYN_ROUTER_USE_KV_EVENTS',
    "Follow the workers' KV events; off: believe that a worker holds what it was sent",
    {
      also: ['DYN_USE_KV_EVENTS'],
    },
  ),
  ttlSecs: decimal(
    'routing',
    '--router-ttl-secs',
    'DYN_ROUTER_TTL_SECS',
    standard.ttlSecs,
    'Without KV events: how long a block is believed to be held',
    {
      min: 0,
    },
  ),
  predictedTtlSecs: decimal(
    'routing',
    '--router-predicted-ttl-secs',
    'DYN_ROUTER_PREDICTED_TTL_SECS',
    standard.predictedTtlSecs,
    'With KV events: how long a worker counts as holding what was just sent to it; 0: off',
    { min: 0 },
  ),
  trackActiveBlocks: flagOn(
    'routing',
    '--router-track-active-blocks --track-active-blocks',
    'DYN_ROUTER_TRACK_ACTIVE_BLOCKS',
    'Book the blocks of running requests',
  ),
  trackOutputBlocks: flag(
    'routing',
    '--router-track-output-blocks --track-output-blocks',
    'DYN_ROUTER_TRACK_OUTPUT_BLOCKS',
    'Book blocks for the expected answer too',
  ),
  assumeKvReuse: flagOn(
    'routing',
    '--router-assume-kv-reuse --assume-kv-reuse',
    'DYN_ROUTER_ASSUME_KV_REUSE',
    'Book blocks that requests of one worker share only once',
  ),
  trackPrefillTokens: flagOn(
    'routing',
    '--router-track-prefill-tokens',
    'DYN_ROUTER_TRACK_PREFILL_TOKENS',
    'Book prompt tokens until the first token',
  ),
  replicaSync: flagOn('routing', '--router-replica-sync', 'DYN_ROUTER_REPLICA_SYNC', 'Share bookings with the other frontends'),
}
