import { expect, test } from 'bun:test'
import { diffusionCopy, engineCopy, gpusOf } from '../../../src/serve/fleet/engine-copies.ts'
import type { DiffusionEngineOptions, EngineOptions } from '../../../src/serve/options.ts'

const sglang = (...args: string[]): EngineOptions => ({
  kind: 'sglang',
  python: 'python3',
  args,
  env: {},
  level: undefined,
  cacheDir: '/tmp',
  silenceMs: 0,
  kvEvents: false,
})
const argsOf = (options: EngineOptions) => (options.kind === 'sglang' ? options.args : [])

test('one copy is as the user wrote it', () => {
  const options = sglang('--model-path', 'm', '--port=30000')
  expect(engineCopy(options, 0, 1)).toBe(options)
})

test('each copy has its own GPUs and ports', () => {
  const options = sglang('--model-path', 'm', '--tp', '2', '--port=30000', '--base-gpu-id', '4')
  expect(argsOf(engineCopy(options, 0, 2))).toEqual(['--model-path', 'm', '--tp', '2', '--port', '30000', '--base-gpu-id', '4'])
  expect(argsOf(engineCopy(options, 1, 2))).toEqual(['--model-path', 'm', '--tp', '2', '--port', '31000', '--base-gpu-id', '6'])
})

test('on a CPU there are no GPUs to divide', () => {
  expect(argsOf(engineCopy(sglang('--device', 'cpu'), 1, 2))).toEqual(['--device', 'cpu', '--port', '22000'])
})

test.each([
  [[], 1],
  [['--tp-size', '4'], 4],
  [['--tp=2', '--dp-size', '3'], 6],
  [['--tp', '8', '--dp', '8', '--enable-dp-attention'], 8],
  [['--tp', '2', '--pp-size', '2'], 4],
])('%p takes %p GPUs', (args, gpus) => expect(gpusOf(args as string[])).toBe(gpus as number))

const diffusion = (args: string[], env: Record<string, string> = {}): DiffusionEngineOptions => ({
  ...{ kind: 'sglang', python: 'python3', args, env, cacheDir: '/tmp' },
})

test('diffusion engines: GPUs by the variable, out of those that the user shows, and ports apart only where they were chosen', () => {
  const shown = (options: DiffusionEngineOptions) => options.kind === 'sglang' && [options.env.CUDA_VISIBLE_DEVICES, options.args.join(' ')]
  const plain = diffusion(['--model-path', 'm'])
  expect(diffusionCopy(plain, 0, 1)).toBe(plain)
  expect(shown(diffusionCopy(plain, 1, 2))).toEqual(['1', '--model-path m'])
  const two = diffusion(['--tp-size', '2', '--port=30000', '--scheduler-port', '5000'], { CUDA_VISIBLE_DEVICES: '4,5,6,7' })
  expect(shown(diffusionCopy(two, 1, 2))).toEqual(['6,7', '--tp-size 2 --port 31000 --scheduler-port 6000'])
  expect(shown(diffusionCopy(diffusion(['--num-gpus', '4', '--tp-size', '2']), 1, 2))).toEqual(['4,5,6,7', '--num-gpus 4 --tp-size 2'])
})

test('diffusion engines take no GPU that this process was not given', () => {
  for (const visible of ['4,5', '']) {
    const few = diffusion(['--model-path', 'm'], { CUDA_VISIBLE_DEVICES: visible })
    expect(() => diffusionCopy(few, 0, 3)).toThrow('--workers 3 needs 3 GPUs')
  }
})
