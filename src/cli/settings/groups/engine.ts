// Which engine runs, and in which role.
import { choice, flag, integer, text } from '../setting.ts'

const shared = { shared: true } as const
const engine = { commands: ['serve', 'worker'] as const }

export const engineSettings = {
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
  enableMultimodal: flag(
    'engine',
    '--enable-multimodal',
    'DYN_SGL_ENABLE_MULTIMODAL',
    'Serve a vision model; without it one serves pictures too where SGLang does so by itself',
    shared,
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
    'DYN_DISAGGREGATION_MODE',
    ['null', 'agg', 'pd', 'prefill', 'decode', 'encode'],
    'null',
    'Role: null (agg, pd) does all, prefill computes prompts, decode continues them; encode makes rows of pictures',
    shared,
  ),
  bootstrapPort: integer(
    'engine',
    '--disaggregation-bootstrap-port',
    'DYN_DISAGG_BOOTSTRAP_PORT',
    undefined,
    'Port where a prefill worker hands out its rooms; a free one when absent',
    { ...shared, min: 1, max: 65535 },
  ),
  nnodes: integer('engine', '--nnodes', '', 1, 'Hosts that one model runs on, each with this command and its own --node-rank', {
    ...shared,
    min: 1,
  }),
  nodeRank: integer(
    'engine',
    '--node-rank',
    '',
    0,
    "Which of the --nnodes hosts this is; 0 takes the requests ('serve' or 'worker'), the others are a 'worker'",
    { ...shared, min: 0 },
  ),
  distInitAddr: text(
    'engine',
    '--dist-init-addr --nccl-init-addr',
    '',
    undefined,
    'HOST:PORT on host 0 where the --nnodes hosts meet',
    shared,
  ),
  sglangConfig: text('engine', '--config', '', undefined, "SGLang's own YAML file of options", shared),
  bridgeLevel: choice('engine', '--bridge-level', 'DYN_BRIDGE_LEVEL', ['auto', 'L1', 'L0', 'L2'], 'auto', 'How output leaves SGLang', {
    ...engine,
    hidden: true,
  }),
}
