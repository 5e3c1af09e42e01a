import { expect, test } from 'bun:test'
import { engineCopy, gpusOf } from '../../../src/serve/fleet/engine-copies.ts'
import type { EngineOptions } from '../../../src/serve/options.ts'

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
