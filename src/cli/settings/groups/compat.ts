// Words of Dynamo's command lines, old and new, that change nothing here: they are accepted so that a command line keeps working, and told at start.
import { choice, decimal, flag, flagOn, integer, list, text } from '../setting.ts'

const front = { commands: ['serve', 'frontend'] as const, hidden: true } as const
const reserved = { state: 'reserved', hidden: true } as const
/** Why a word does nothing here, for good. */
const without = (ignored: string) => ({ state: 'ignored', ignored, hidden: true }) as const

const oneIndex = 'the index is one structure in the process, which is fast enough'
const noStore = 'the index is not stored; a frontend asks the workers for it'

export const compatSettings = {
  approximateCachePolicy: choice(
    'compat',
    '--router-approximate-cache-policy',
    'DYN_ROUTER_APPROXIMATE_CACHE_POLICY',
    ['ttl', 'lru'],
    'ttl',
    'How blocks are forgotten without KV events',
    reserved,
  ),
  trackingHash: choice(
    'compat',
    '--router-tracking-hash',
    'DYN_ROUTER_TRACKING_HASH',
    ['public-xxh3-v1', 'keyed-xxh3-v1'],
    'public-xxh3-v1',
    'Hash of booked blocks',
    reserved,
  ),
  trackingKeyFile: text('compat', '--router-tracking-key-file', 'DYN_ROUTER_TRACKING_KEY_FILE', undefined, 'Key of that hash', reserved),
  trackingKeyId: text('compat', '--router-tracking-key-id', 'DYN_ROUTER_TRACKING_KEY_ID', undefined, 'Name of that key', reserved),
  prefillLoadModel: choice(
    'compat',
    '--router-prefill-load-model',
    'DYN_ROUTER_PREFILL_LOAD_MODEL',
    ['none', 'ais', 'aic'],
    'none',
    'Predicted prefill times',
    reserved,
  ),
  routerPolicyConfig: text(
    'compat',
    '--router-policy-config',
    'DYN_ROUTER_POLICY_CONFIG',
    undefined,
    "Dynamo's YAML of router settings",
    reserved,
  ),
  useRemoteIndexer: flag('compat', '--use-remote-indexer', 'DYN_USE_REMOTE_INDEXER', 'Ask another process for overlaps', reserved),
  serveIndexer: flag('compat', '--serve-indexer', 'DYN_SERVE_INDEXER', 'Answer such questions', reserved),
  sessionPrefixIndex: flag(
    'compat',
    '--enable-session-prefix-index',
    'DYN_ENABLE_SESSION_PREFIX_INDEX',
    'Blocks of a session beyond their eviction',
    reserved,
  ),
  sharedCacheMultiplier: decimal(
    'compat',
    '--shared-cache-multiplier',
    'DYN_SHARED_CACHE_MULTIPLIER',
    undefined,
    'Worth of a block in a shared cache',
    reserved,
  ),
  sharedCacheType: choice(
    'compat',
    '--shared-cache-type',
    'DYN_SHARED_CACHE_TYPE',
    ['none', 'hicache'],
    'none',
    'Kind of that cache',
    reserved,
  ),
  responsePlane: choice(
    'compat',
    '--response-plane',
    'DYN_RESPONSE_PLANE',
    ['tcp', 'quic'],
    'tcp',
    'How answers come back: with the requests',
    reserved,
  ),
  kvStateEndpoint: text('compat', '--kv-state-endpoint', 'DYN_KV_STATE_ENDPOINT', undefined, 'Where an index is asked for', reserved),
  fpmTrace: flag('compat', '--fpm-trace', 'DYN_FPM_TRACE', 'Trace of engine steps', reserved),
  connector: list('compat', '--connector', 'DYN_CONNECTOR', 'KV connector of other engines', reserved),
  endpointTypes: text(
    'compat',
    '--endpoint-types --dyn-endpoint-types',
    'DYN_ENDPOINT_TYPES',
    'chat,completions',
    'Endpoints of a worker',
    reserved,
  ),
  engineRoutes: list('compat', '--engine-route', 'DYN_SGLANG_ENGINE_ROUTES', 'Further routes of the engine', reserved),
  enableRl: flag('compat', '--enable-rl', 'DYN_SGL_ENABLE_RL', 'Routes for reinforcement learning', reserved),

  eventThreads: integer('compat', '--router-event-threads', 'DYN_ROUTER_EVENT_THREADS', 4, 'Threads of the index', without(oneIndex)),
  resetStates: flag('compat', '--router-reset-states', 'DYN_ROUTER_RESET_STATES', 'Forget the stored index', without(noStore)),
  snapshotThreshold: integer(
    'compat',
    '--router-snapshot-threshold',
    'DYN_ROUTER_SNAPSHOT_THRESHOLD',
    undefined,
    'When to store the index',
    without(noStore),
  ),
  durableKvEvents: flag(
    'compat',
    '--router-durable-kv-events --durable-kv-events',
    'DYN_ROUTER_DURABLE_KV_EVENTS',
    'Events through JetStream',
    without('gaps are repaired by asking the worker'),
  ),
  maxTreeSize: integer('compat', '--router-max-tree-size', 'DYN_ROUTER_MAX_TREE_SIZE', undefined, 'Blocks in the index', without(oneIndex)),
  pruneTargetRatio: decimal(
    'compat',
    '--router-prune-target-ratio',
    'DYN_ROUTER_PRUNE_TARGET_RATIO',
    undefined,
    'What pruning leaves',
    without(oneIndex),
  ),
  admissionControl: choice(
    'compat',
    '--admission-control',
    'DYN_ADMISSION_CONTROL',
    ['token-capacity', 'none'],
    undefined,
    'Refusal of busy workers',
    without('set the thresholds (--active-decode-blocks-threshold, …)'),
  ),
  kvCacheBlockSize: integer('compat', '--kv-cache-block-size', 'DYN_KV_CACHE_BLOCK_SIZE', undefined, 'Tokens in a block', {
    ...front,
    state: 'ignored',
    ignored: "each worker's card tells its block size",
  }),
  metricsPrefix: text('compat', '--metrics-prefix', 'DYN_METRICS_PREFIX', undefined, 'First word of metric names', {
    ...front,
    state: 'reserved',
  }),
  tokenizer: choice('compat', '--tokenizer', 'DYN_TOKENIZER', ['default', 'fastokens', 'basetenkenizer'], 'default', 'Tokenizer library', {
    ...front,
    state: 'ignored',
    ignored: 'there is one tokenizer',
  }),
  tokenizerFallback: flagOn('compat', '--tokenizer-fallback', 'DYN_TOKENIZER_FALLBACK', 'Another tokenizer library where that one fails', {
    ...front,
    state: 'ignored',
    ignored: 'there is one tokenizer',
  }),
  migrationMaxSeqLen: integer('compat', '--migration-max-seq-len', 'DYN_MIGRATION_MAX_SEQ_LEN', undefined, 'Longest answer that moves', {
    ...front,
    state: 'reserved',
  }),
}
