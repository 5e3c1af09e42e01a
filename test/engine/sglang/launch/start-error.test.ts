import { expect, test } from 'bun:test'
import { startError } from '../../../../src/engine/sglang/launch/start-error.ts'

/** What SGLang said last, and what the user is told: code, flag, words. */
const cases: [said: string, code: string, param: string | null, advice: RegExp][] = [
  ["ModuleNotFoundError: No module named 'sglang'", 'sglang_not_found', '--python', /pip install sglang/],
  ["ModuleNotFoundError: No module named 'msgspec'", 'sglang_not_found', '--python', /SGLang is not installed/],
  ["ModuleNotFoundError: No module named 'diffusers'", 'sglang_not_found', '--python', /sglang\[diffusion\]/],
  ["ModuleNotFoundError: No module named 'sgl_kernel'", 'sglang_not_found', '--python', /package sgl_kernel/],
  ['launch_server.py: error: unrecognized arguments: --bogus 1', 'sglang_failed', null, /does not know: --bogus 1/],
  ["argument --tp-size: invalid int value: 'two'", 'sglang_failed', null, /refuses its arguments/],
  ['torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB', 'sglang_failed', '--mem-fraction-static', /nvidia-smi/],
  [
    'ValueError: Loaded weights leave no GPU memory for the KV cache under --mem-fraction-static=0.05. Raise --mem-fraction-static above 0.1',
    'sglang_failed',
    '--mem-fraction-static',
    /Raise --mem-fraction-static/,
  ],
  [
    'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB',
    'sglang_failed',
    '--mem-fraction-static',
    /doctor names them.*sgl_diff/,
  ],
  [
    'RuntimeError: cuDNN frontend 1.8.1 requires cuDNN lib >= 9.5.0',
    'sglang_failed',
    null,
    /SGLANG_DISABLE_CUDNN_CHECK=1\. SGLang said: RuntimeError: cuDNN frontend/,
  ],
  ["AttributeError: 'Conv2d' object has no attribute 'num_embeddings'", 'sglang_failed', '--model-impl', /--model-impl transformers/],
  ['    assert page_size == 1', 'sglang_failed', '--page-size', /start with --page-size 1/],
  ['OSError: [Errno 98] Address already in use', 'port_in_use', null, /A port that SGLang needs is taken/],
  [
    'OSError: nobody/nothing is not a local folder and is not a valid model identifier',
    'model_path_not_found',
    '--model-path',
    /model was not found/,
  ],
  ['RuntimeError: Found no NVIDIA driver on your system.', 'sglang_failed', null, /nvidia-smi/],
]

for (const [said, code, param, advice] of cases)
  test(said.slice(0, 60), () => {
    const error = startError(undefined, ['loading', said], 'exit 1')
    expect(error).toMatchObject({ code, param })
    expect(error.message).toMatch(advice)
  })

test('model files that SGLang skips at start are not the reason', () => {
  const lines = ["Ignore import error when loading sglang.srt.models.inkling: No module named 'cutlass'", 'RuntimeError: something else']
  const error = startError(undefined, lines, 'exit 1')
  expect(error.code).toBe('sglang_failed')
  expect(error.message).toContain('something else')
  expect(error.message).not.toContain('package cutlass')
})

test('a worker of images is told what such a worker needs', () => {
  const told = (said: string) => startError(undefined, [said], 'exit 1', true).message
  expect(told("No module named 'sglang'")).toContain('pip install "sglang[diffusion]"')
  expect(told("No module named 'av'")).toContain(
    'package av, which SGLang needs, is missing. Install SGLang with all its packages (pip install "sg',
  )
  expect(told("No such file or directory: '/m/vae/diffusion_pytorch_model.safetensors'")).toContain('model_index.json')
  expect(startError(undefined, ["No such file or directory: '/m/config.json'"], 'exit 1').message).not.toContain('model_index.json')
})
