// The documents' scripts for models that see: in one engine, and with the encoder apart.
import type { Example, ExampleProcess } from './setup.ts'

const standard = { agg: 'Qwen/Qwen3-VL-8B-Instruct', apart: 'Qwen/Qwen2.5-VL-7B-Instruct' } as const

const ask = (model: string) => `curl localhost:8000/v1/chat/completions -H 'Content-Type: application/json' -d '{
  "model": "${model}", "max_tokens": 50,
  "messages": [{"role": "user", "content": [
    {"type": "text", "text": "Explain why Roger Federer is considered one of the greatest tennis players of all time"},
    {"type": "image_url", "image_url": {"url": "https://media.newyorker.com/photos/63249cff39ac97c4c23ff5d0/master/w_2560%2Cc_limit/Marzorati%2520-%2520Federer%2520Retirement%25202.jpg"}}]}]}'`

const frontend: ExampleProcess = { name: 'frontend', args: ['frontend', '--router-mode', 'kv'] }

/** On one GPU, with the operators' port that the documents give it. */
function worker(name: string, gpu: number, model: string, args: readonly string[]): ExampleProcess {
  const env = { CUDA_VISIBLE_DEVICES: String(gpu), DYN_SYSTEM_PORT: String(8081 + gpu) }
  return { name, env, args: ['worker', '--model-path', model, '--trust-remote-code', ...args] }
}

const half = (role: 'prefill' | 'decode') => [
  ...['--multimodal-worker', '--page-size', '16', '--disaggregation-mode', role],
  ...['--disaggregation-transfer-backend', 'nixl', '--host', '0.0.0.0'],
]

const options = (model: string) => ({ '--model-path': { value: model, also: ['--model'] } })

export const visionExamples: readonly Example[] = [
  {
    name: 'agg_vision',
    about: 'a vision model in one SGLang engine: pictures as image_url parts of chat messages',
    processes: [],
    options: options(standard.agg),
    made: ({ '--model-path': model }) => ({
      processes: [{ name: 'serve', args: ['serve', '--enable-multimodal', '--model-path', model!, '--trust-remote-code'] }],
      request: ask(model!),
    }),
  },
  {
    name: 'multimodal_epd',
    about: 'pictures encoded on one GPU, the language model on another (E/PD); more encode workers may join at any time',
    processes: [],
    options: options(standard.apart),
    made: ({ '--model-path': model }) => ({
      processes: [
        frontend,
        worker('encoder', 0, model!, ['--multimodal-encode-worker']),
        worker('worker', 1, model!, ['--multimodal-worker', '--page-size', '16']),
      ],
      request: ask(model!),
    }),
  },
  {
    name: 'multimodal_disagg',
    about: 'pictures, prompts and answers on three GPUs (E/P/D)',
    processes: [],
    options: options(standard.apart),
    made: ({ '--model-path': model }) => ({
      processes: [
        frontend,
        worker('encoder', 0, model!, ['--multimodal-encode-worker']),
        worker('prefill', 1, model!, half('prefill')),
        worker('decode', 2, model!, half('decode')),
      ],
      request: ask(model!),
    }),
  },
]
