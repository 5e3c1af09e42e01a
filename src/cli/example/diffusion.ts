// The documents' scripts for images, videos and text diffusion, with the options that they have.
import type { Example } from './setup.ts'

const compatible = ['--skip-tokenizer-init', '--trust-remote-code', '--enable-metrics'] as const

const wan = { '1b': ['Wan-AI/Wan2.1-T2V-1.3B-Diffusers', 1], '14b': ['Wan-AI/Wan2.1-T2V-14B-Diffusers', 2] } as const

export const diffusionExamples: readonly Example[] = [
  {
    name: 'diffusion_llada',
    about: 'a language model that fills in blocks of its answer instead of one token after another',
    processes: [
      {
        name: 'serve',
        args: [
          ...[
            'serve',
            '--model-path',
            'inclusionAI/LLaDA2.0-mini-preview',
            '--http-port',
            '8001',
            '--trust-remote-code',
            '--enable-metrics',
          ],
          ...['--disable-cuda-graph', '--disable-overlap-schedule', '--attention-backend', 'triton', '--dllm-algorithm', 'LowConfidence'],
        ],
      },
    ],
    request: `curl localhost:8000/v1/chat/completions -H 'Content-Type: application/json' -d '{
  "model": "inclusionAI/LLaDA2.0-mini-preview", "stream": true, "max_tokens": 200,
  "messages": [{"role": "user", "content": "Why is the sky blue?"}]}'`,
  },
  {
    name: 'image_diffusion',
    about: 'images from a prompt with FLUX.1-dev; --fs-url and --http-url say where they go',
    processes: [],
    options: { '--model-path': { value: 'black-forest-labs/FLUX.1-dev' } },
    made: ({ '--model-path': model }) => ({
      processes: [{ name: 'serve', args: ['serve', '--image-diffusion-worker', '--model-path', model!, ...compatible] }],
      request: `curl localhost:8000/v1/images/generations -H 'Content-Type: application/json' -d '{
  "model": "${model}", "prompt": "A lighthouse on a cliff in a storm, oil painting",
  "size": "1024x1024", "response_format": "url", "nvext": {"num_inference_steps": 28}}'`,
    }),
  },
  {
    name: 'text-to-video-diffusion',
    about: 'videos from a prompt with Wan2.1: --wan-size 1b|14b, --num-frames, --height, --width, --num-inference-steps',
    processes: [],
    options: {
      '--wan-size': { value: '1b', values: ['1b', '14b'] },
      '--num-frames': { value: '17', number: true },
      '--height': { value: '480', number: true },
      '--width': { value: '832', number: true },
      '--num-inference-steps': { value: '50', number: true },
    },
    made(values) {
      const [model, gpus] = wan[values['--wan-size'] as keyof typeof wan]
      const tensor = gpus === 1 ? [] : ['--tp', String(gpus)]
      const { '--num-frames': frames, '--height': height, '--width': width, '--num-inference-steps': steps } = values
      return {
        processes: [{ name: 'serve', args: ['serve', '--video-generation-worker', '--model-path', model, ...tensor, ...compatible] }],
        request: `curl localhost:8000/v1/videos -H 'Content-Type: application/json' -d '{
  "model": "${model}", "prompt": "Waves rolling onto a beach at sunrise, seen from above",
  "size": "${width}x${height}", "seconds": 2, "response_format": "url",
  "nvext": {"fps": 8, "num_frames": ${frames}, "num_inference_steps": ${steps}}}'`,
      }
    },
  },
]
