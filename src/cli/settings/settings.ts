// The one table of settings. Type, help, environment, file keys and validation are derived from it; adding a line here is all a new setting needs.
import { reasoningParserNames, toolParserNames } from './parser-names.ts'
import { type Command, choice, decimal, flag, flagOn, integer, list, text, type ValueOf } from './setting.ts'

const shared = { shared: true } as const
const refused = { state: 'refused' } as const
const reserved = { state: 'reserved' } as const
const engine = { commands: ['serve', 'worker'] as const }
const front = { commands: ['serve', 'frontend'] as const }

export const table = {
  httpHost: text('http', '--http-host', 'DYN_HTTP_HOST', '0.0.0.0', 'Address the OpenAI API listens on', front),
  httpPort: integer('http', '--http-port', 'DYN_HTTP_PORT', 8000, 'Port of the OpenAI API; 0 takes a free one', {
    ...front,
    min: 0,
    max: 65535,
  }),
  tlsCertPath: text('http', '--tls-cert-path', 'DYN_TLS_CERT_PATH', undefined, 'Certificate (PEM) for HTTPS; with --tls-key-path', front),
  tlsKeyPath: text('http', '--tls-key-path', 'DYN_TLS_KEY_PATH', undefined, 'Private key (PEM) of the certificate', front),
  bodyLimitMb: integer('http', '--http-body-limit-mb', 'DYN_HTTP_BODY_LIMIT_MB', 45, 'Largest request body, in MB', { ...front, min: 1 }),
  maxInflight: integer(
    'http',
    '--max-inflight',
    'DYN_MAX_INFLIGHT',
    undefined,
    'Requests in flight before new ones are refused as overloaded; no limit when absent',
    { ...front, min: 1 },
  ),
  overloadStatus: integer('http', '--overload-status', 'DYN_HTTP_OVERLOAD_STATUS_CODE', 529, 'HTTP status of an overloaded server', {
    ...front,
    min: 400,
    max: 599,
  }),
  corsOrigin: text(
    'http',
    '--cors-origin',
    'DYN_HTTP_CORS_ORIGIN',
    undefined,
    'Sites whose pages may call the API: * or one origin; none when absent',
    front,
  ),
  ignoreUnsupportedFields: flag(
    'http',
    '--ignore-unsupported-fields',
    'DYN_IGNORE_OPENAI_FE_UNSUPPORTED_FIELDS',
    'Ignore unknown request fields instead of refusing them',
    front,
  ),
  excludeToolsWhenNone: flagOn(
    'http',
    '--exclude-tools-when-tool-choice-none',
    'DYN_EXCLUDE_TOOLS_WHEN_TOOL_CHOICE_NONE',
    'Leave the tools out of the prompt when tool_choice is none',
    front,
  ),
  systemHost: text('http', '--system-host', 'DYN_SYSTEM_HOST', '0.0.0.0', 'Address of the system port'),
  systemPort: integer('http', '--system-port', 'DYN_SYSTEM_PORT', undefined, 'Port with /metrics, /live and /health for operators', {
    min: -1,
    max: 65535,
  }),

  modelPath: text('model', '--model-path --model', 'DYN_MODEL_PATH', undefined, 'Folder of the model, or its name on the hub', shared),
  servedModelName: list('model', '--served-model-name', 'DYN_SERVED_MODEL_NAME', 'Name clients use; further names are aliases', shared),
  tokenizerPath: text('model', '--tokenizer-path', '', undefined, "Folder of the tokenizer when it is not the model's", shared),
  revision: text('model', '--revision', '', undefined, 'Branch, tag or commit of a model from the hub', shared),
  contextLength: integer('model', '--context-length', '', undefined, 'Prompt and answer together, in tokens', { ...shared, min: 1 }),
  customJinjaTemplate: text(
    'model',
    '--custom-jinja-template',
    'DYN_CUSTOM_JINJA_TEMPLATE',
    undefined,
    "Chat template file instead of the model's own; not with --use-sglang-tokenizer",
  ),
  useSglangTokenizer: flag(
    'model',
    '--use-sglang-tokenizer',
    'DYN_SGL_USE_TOKENIZER',
    'Deprecated: SGLang tokenizes, and only chat completions are served',
    engine,
  ),
  tokenizerCacheMb: integer('model', '--tokenizer-cache-mb', 'DYN_TOKENIZER_CACHE_MB', 32, 'Memory for tokenized prefixes; 0 is off', {
    min: 0,
  }),

  engine: choice(
    'engine',
    '--engine',
    'DYN_ENGINE',
    ['sglang', 'mock', 'http'],
    undefined,
    'sglang when there is a model path, http when there is an engine URL, else mock',
    engine,
  ),
  engineUrl: text('engine', '--engine-url', 'DYN_ENGINE_URL', undefined, 'Base URL of a running SGLang server, for --engine http', engine),
  python: text('engine', '--python', 'DYN_SGLANG_PYTHON', 'python3', 'Python that has SGLang installed', engine),
  embeddingWorker: flag(
    'engine',
    '--embedding-worker',
    'DYN_SGL_EMBEDDING_WORKER',
    'Serve embeddings; gives SGLang --is-embedding',
    engine,
  ),
  isEmbedding: flag('engine', '--is-embedding', '', "SGLang's own flag for an embedding model", { ...shared, hidden: true }),
  enableMetrics: flag('engine', '--enable-metrics', '', "Pass on SGLang's own metrics (sglang:*) at /metrics", shared),
  disaggConfig: text('engine', '--disagg-config', 'DYN_SGL_DISAGG_CONFIG', undefined, 'YAML file with a section for each role', engine),
  disaggConfigKey: text(
    'engine',
    '--disagg-config-key',
    'DYN_SGL_DISAGG_CONFIG_KEY',
    undefined,
    "Section of --disagg-config to use (prefill, decode, …); goes to SGLang's --config",
    engine,
  ),
  disaggregationMode: choice(
    'engine',
    '--disaggregation-mode',
    '',
    ['null', 'agg', 'pd', 'prefill', 'decode', 'encode'],
    'null',
    'Role in disaggregated serving; prefill, decode and encode are not in this version',
    shared,
  ),
  sglangConfig: text('engine', '--config', '', undefined, "SGLang's own YAML file of options", shared),
  bridgeLevel: choice('engine', '--bridge-level', 'DYN_BRIDGE_LEVEL', ['auto', 'L1', 'L0', 'L2'], 'auto', 'How output leaves SGLang', {
    ...engine,
    hidden: true,
  }),

  speedupRatio: decimal('mock', '--speedup-ratio', 'DYN_MOCK_SPEEDUP_RATIO', 1, "Pace of the mock: 1 is a GPU's, 1000000 is at once", {
    ...engine,
    min: 0.000001,
  }),
  mockFailure: text('mock', '--mock-failure', 'DYN_MOCK_FAILURE', '', 'Faults the mock plays, such as crash-after=200,restart=500', engine),
  mockSeed: integer('mock', '--mock-seed', 'DYN_MOCK_SEED', 0, 'Two mocks with one seed give the same answers', engine),
  numGpuBlocks: integer('mock', '--num-gpu-blocks', '', undefined, 'KV room of the mock, in blocks', { ...engine, min: 2 }),
  pageSize: integer('mock', '--page-size', '', undefined, 'Tokens in a KV block', { ...shared, min: 1 }),
  dpSize: integer('mock', '--dp-size --data-parallel-size --dp', '', undefined, 'Data-parallel ranks', { ...shared, min: 1 }),
  maxRunningRequests: integer('mock', '--max-running-requests', '', undefined, 'Requests that run together, per rank', {
    ...shared,
    min: 1,
  }),
  maxTotalTokens: integer('mock', '--max-total-tokens', '', undefined, 'KV room in tokens, per rank', { ...shared, min: 1 }),

  endpoint: text(
    'worker',
    '--endpoint',
    'DYN_ENDPOINT',
    undefined,
    'Address of this worker for other processes: dyn://namespace.component.endpoint',
  ),
  namespace: text('worker', '--namespace', 'DYN_NAMESPACE', 'dynamo', 'Namespace when --endpoint does not give one'),
  healthCheckPayload: text(
    'worker',
    '--health-check-payload',
    'DYN_HEALTH_CHECK_PAYLOAD',
    undefined,
    'JSON of the request that /health asks the engine, or @FILE',
  ),
  canaryIdleSecs: decimal(
    'worker',
    '--canary-idle-secs',
    'DYN_CANARY_WAIT_TIME',
    10,
    'Ask the engine for a token after this long without one',
    {
      min: 0,
    },
  ),
  engineSilenceSecs: decimal(
    'worker',
    '--engine-silence-secs',
    'DYN_ENGINE_SILENCE_SECS',
    60,
    'Probe an engine that holds requests and says nothing for so long, and restart it if it stays silent as long again; 0: never',
    {
      min: 0,
    },
  ),
  logLevel: choice(
    'worker',
    '--dyn-log-level',
    'DYN_LOG',
    ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    'info',
    'How much goes to the log (stderr)',
  ),

  toolCallParser: choice(
    'parsers',
    '--dyn-tool-call-parser',
    'DYN_TOOL_CALL_PARSER',
    toolParserNames,
    undefined,
    "Tool call parser, instead of SGLang's --tool-call-parser",
    reserved,
  ),
  reasoningParser: choice(
    'parsers',
    '--dyn-reasoning-parser',
    'DYN_REASONING_PARSER',
    reasoningParserNames,
    undefined,
    'Reasoning parser for models that think first',
    reserved,
  ),
  chatProcessor: choice(
    'parsers',
    '--dyn-chat-processor',
    'DYN_CHAT_PROCESSOR',
    ['dynamo', 'sglang'],
    'dynamo',
    'Who renders and parses chats: this server or SGLang',
    reserved,
  ),

  routerMode: choice(
    'routing',
    '--router-mode',
    'DYN_ROUTER_MODE',
    ['round-robin', 'random', 'kv', 'direct', 'power-of-two', 'least-loaded'],
    'round-robin',
    'How a worker is chosen; with one worker they are alike',
    reserved,
  ),
  discoveryBackend: choice(
    'routing',
    '--discovery-backend',
    'DYN_DISCOVERY_BACKEND',
    ['mem', 'file', 'etcd', 'kubernetes'],
    'mem',
    'Where workers are found; one process needs none',
    reserved,
  ),
  requestPlane: choice(
    'routing',
    '--request-plane',
    'DYN_REQUEST_PLANE',
    ['tcp', 'nats'],
    'tcp',
    'How requests reach other hosts',
    reserved,
  ),
  eventPlane: choice('routing', '--event-plane', 'DYN_EVENT_PLANE', ['zmq', 'nats'], 'zmq', 'How KV events travel', reserved),
  migrationLimit: integer('routing', '--migration-limit', 'DYN_MIGRATION_LIMIT', 0, 'How often a request may move to another worker', {
    ...reserved,
    min: 0,
  }),

  gracePeriodSecs: decimal(
    'lifetime',
    '--grace-period-secs',
    'DYN_GRACEFUL_SHUTDOWN_GRACE_PERIOD_SECS',
    5,
    'After SIGTERM: unready, but still serving, for this long',
    { min: 0, max: 86_400 },
  ),
  drainTimeoutSecs: decimal('lifetime', '--drain-timeout-secs', 'DYN_DRAIN_TIMEOUT_SECS', 30, 'Then: time for running requests to finish', {
    min: 0,
  }),

  settingsFile: text(
    'files',
    '-f --settings',
    'DYN_SETTINGS',
    undefined,
    'YAML or JSON with any of these settings; other keys go to SGLang',
  ),
  cacheDir: text('files', '--cache-dir', 'DYN_CACHE_DIR', undefined, "Folder for unpacked files; the user's cache folder when absent"),
  hfHome: text('files', '', 'HF_HOME', undefined, "The hub's cache folder"),
  hfToken: text('files', '', 'HF_TOKEN', undefined, 'Token for models that need one'),
  hfEndpoint: text('files', '', 'HF_ENDPOINT', 'https://huggingface.co', 'The hub, or a mirror of it'),
  hfOffline: flag('files', '', 'HF_HUB_OFFLINE', 'Never ask the hub; only its cache folder'),

  multimodalProcessor: flag('later', '--multimodal-processor', 'DYN_SGL_MULTIMODAL_PROCESSOR', 'Run as multimodal processor', refused),
  multimodalEncodeWorker: flag('later', '--multimodal-encode-worker', 'DYN_SGL_MULTIMODAL_ENCODE_WORKER', 'Encode images only', refused),
  multimodalWorker: flag('later', '--multimodal-worker', 'DYN_SGL_MULTIMODAL_WORKER', 'Run the language part of a vision model', refused),
  enableMultimodal: flag('later', '--enable-multimodal', 'DYN_SGL_ENABLE_MULTIMODAL', 'Serve a vision model', refused),
  dedicatedMmEncoder: flag('later', '--dedicated-mm-encoder', 'DYN_SGL_DEDICATED_MM_ENCODER', 'Expect a separate image encoder', refused),
  imageDiffusionWorker: flag('later', '--image-diffusion-worker', 'DYN_SGL_IMAGE_DIFFUSION_WORKER', 'Generate images', refused),
  videoGenerationWorker: flag('later', '--video-generation-worker', 'DYN_SGL_VIDEO_GENERATION_WORKER', 'Generate videos', refused),
  rerankWorker: flag('later', '--rerank-worker', 'DYN_SGL_RERANK_WORKER', 'Serve a reranking model', refused),
}

export type SettingName = keyof typeof table
export type Values = { [Name in SettingName]: ValueOf<(typeof table)[Name]> }

/** Everything the user asked for, checked. What parseSettings returns; nothing reads the environment after it. */
export interface Settings extends Omit<Values, 'engine' | 'endpoint' | 'healthCheckPayload'> {
  command: Command
  engine: 'sglang' | 'mock' | 'http'
  /** Always whole: dyn://namespace.component.endpoint. */
  endpoint: string
  healthCheckPayload: Record<string, unknown> | undefined
  /** SGLang's arguments: every flag that is not ours alone, verbatim and in order, and what our flags imply. */
  engineArgs: string[]
  /** Lines to show at start: what is accepted without effect, deprecated or ignored. */
  notices: string[]
}
