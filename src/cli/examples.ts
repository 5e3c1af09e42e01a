// The documents' launch scripts as data: what `dynamo-sglang example` lists, prints and runs.

export interface Example {
  name: string
  about: string
  /** Our own command lines, started together; empty for a file. */
  processes: { name: string; args: string[] }[]
  /** A file to print instead of processes to run. */
  file?: string
  /** A request to try once it is up. */
  request?: string
}

export const examples: readonly Example[] = [
  {
    name: 'agg',
    about: 'one SGLang engine behind the OpenAI API',
    processes: [{ name: 'serve', args: ['serve', '--model-path', 'Qwen/Qwen3-0.6B'] }],
    request: `curl localhost:8000/v1/chat/completions -H 'Content-Type: application/json' -d '{
  "model": "Qwen/Qwen3-0.6B", "stream": true, "max_tokens": 30,
  "messages": [{"role": "user", "content": "Hello!"}]}'`,
  },
  {
    name: 'agg_embed',
    about: 'an embedding model',
    processes: [{ name: 'serve', args: ['serve', '--embedding-worker', '--model-path', 'Qwen/Qwen3-Embedding-0.6B'] }],
    request: `curl localhost:8000/v1/embeddings -H 'Content-Type: application/json' -d '{
  "model": "Qwen/Qwen3-Embedding-0.6B", "input": ["Hello!", "Good morning"]}'`,
  },
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
    file: `services:
  etcd:
    image: quay.io/coreos/etcd:v3.6.5
    command: [etcd, --advertise-client-urls=http://0.0.0.0:2379, --listen-client-urls=http://0.0.0.0:2379, --data-dir=/data]
    ports: ["2379:2379"]
    volumes: [etcd:/data]
  nats:
    image: nats:2.12
    command: [-js, -m, "8222"]
    ports: ["4222:4222", "8222:8222"]
volumes:
  etcd: {}
`,
  },
]

/** Scripts of the documents that later versions will bring; named so that asking for one gets a straight answer. */
export const notYet: readonly string[] = [
  'agg_router',
  'agg_vision',
  'disagg',
  'disagg_dp_attn',
  'disagg_router',
  'diffusion_llada',
  'image_diffusion',
  'multimodal_disagg',
  'multimodal_epd',
  'text-to-video-diffusion',
]
