// The documents' launch scripts as data: what `dynamo-sglang example` lists, prints and runs.
import { diffusionExamples } from './diffusion.ts'
import { composeFile, kubernetesFile } from './files.ts'
import type { Example, ExampleProcess } from './setup.ts'
import { visionExamples } from './vision.ts'

const qwen = 'Qwen/Qwen3-0.6B'
const chat = (model: string) => `curl localhost:8000/v1/chat/completions -H 'Content-Type: application/json' -d '{
  "model": "${model}", "stream": true, "max_tokens": 30,
  "messages": [{"role": "user", "content": "Hello!"}]}'`

const frontend: ExampleProcess = { name: 'frontend', args: ['frontend', '--router-mode', 'kv'] }

/** A worker on one GPU, with the operators' port that the documents give it. */
function worker(name: string, gpu: number, args: readonly string[]): ExampleProcess {
  const env = { CUDA_VISIBLE_DEVICES: String(gpu), DYN_SYSTEM_PORT: String(8081 + gpu) }
  return { name, env, args: ['worker', '--model-path', qwen, '--page-size', '16', '--trust-remote-code', '--enable-metrics', ...args] }
}

/** Prefill and decode of one model whose experts lie on two GPUs each, with data-parallel attention. */
function expertWorker(role: 'prefill' | 'decode', gpus: string, port: number): ExampleProcess {
  return {
    name: role,
    env: { CUDA_VISIBLE_DEVICES: gpus, DYN_SYSTEM_PORT: String(port), SGLANG_EXPERT_DISTRIBUTION_RECORDER_DIR: '/tmp/expert-distribution' },
    args: [
      ...['worker', '--model-path', 'silence09/DeepSeek-R1-Small-2layers', '--trust-remote-code', '--enable-metrics'],
      ...['--tp', '2', '--dp-size', '2', '--enable-dp-attention', '--page-size', '64'],
      ...['--expert-distribution-recorder-mode', 'stat', ...transfer(role)],
    ],
  }
}

/** The bootstrap port is the prefill worker's own: a free one, told to its partners by its card. */
const transfer = (role: 'prefill' | 'decode') => [
  '--disaggregation-mode',
  role,
  '--disaggregation-transfer-backend',
  'nixl',
  '--host',
  '0.0.0.0',
]

export const examples: readonly Example[] = [
  {
    name: 'agg',
    about: 'one SGLang engine behind the OpenAI API',
    processes: [{ name: 'serve', args: ['serve', '--model-path', qwen] }],
    request: chat(qwen),
  },
  {
    name: 'agg_router',
    about: 'two engines on two GPUs, each prompt to the one that holds its beginning',
    processes: [frontend, worker('worker 1', 0, []), worker('worker 2', 1, [])],
    request: chat(qwen),
  },
  {
    name: 'disagg',
    about: 'prefill and decode on two GPUs',
    processes: [frontend, worker('prefill', 0, transfer('prefill')), worker('decode', 1, transfer('decode'))],
    request: chat(qwen),
  },
  {
    name: 'disagg_router',
    about: 'two prefill and two decode engines on four GPUs, both chosen by what they hold and their load',
    processes: [
      frontend,
      worker('prefill 1', 0, transfer('prefill')),
      worker('prefill 2', 1, transfer('prefill')),
      worker('decode 1', 2, transfer('decode')),
      worker('decode 2', 3, transfer('decode')),
    ],
    request: chat(qwen),
  },
  {
    name: 'disagg_dp_attn',
    about: 'prefill and decode of a mixture of experts with data-parallel attention on four GPUs; records the expert distribution',
    processes: [frontend, expertWorker('prefill', '0,1', 8081), expertWorker('decode', '2,3', 8083)],
    request: `${chat('silence09/DeepSeek-R1-Small-2layers')}
# the experts' load, between start and dump, into SGLANG_EXPERT_DISTRIBUTION_RECORDER_DIR:
curl -X POST localhost:8083/engine/start_expert_distribution_record
curl -X POST localhost:8083/engine/dump_expert_distribution_record`,
  },
  {
    name: 'agg_embed',
    about: 'an embedding model',
    processes: [{ name: 'serve', args: ['serve', '--embedding-worker', '--model-path', 'Qwen/Qwen3-Embedding-0.6B'] }],
    request: `curl localhost:8000/v1/embeddings -H 'Content-Type: application/json' -d '{
  "model": "Qwen/Qwen3-Embedding-0.6B", "input": ["Hello!", "Good morning"]}'`,
  },
  ...visionExamples,
  ...diffusionExamples,
  {
    name: 'mock',
    about: 'the whole server without a GPU and without SGLang',
    processes: [{ name: 'serve', args: ['serve', '--engine', 'mock'] }],
    request: `curl localhost:8000/v1/models`,
  },
  {
    name: 'compose',
    about: 'docker compose file with etcd and NATS, for setups that want them (docker compose -f FILE up -d)',
    processes: [],
    file: composeFile,
  },
  {
    name: 'kubernetes',
    about: 'Kubernetes manifest: the rights for discovery, a frontend and workers (kubectl apply -f -)',
    processes: [],
    file: kubernetesFile,
  },
]
