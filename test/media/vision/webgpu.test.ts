// The pictures of the fixtures prepared on WebGPU (SwiftShader where there is no GPU): `pil` and `tv_u8` to the bit, `tv_f32` nearly.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { configureKernels, kernelReport } from '../../../kernels/perform.ts'
import { testDevice } from '../../helpers/webgpu.ts'
import { cases, pixelsOf, presetModel, sha256 } from './vectors.ts'

const present = (await testDevice()) !== undefined
const names = ['odd_rgb.png', 'palette_trns.png', 'round_half.png', 'chroma420_odd.jpg', 'exif6.jpg']
// Software takes seconds for large squares.
const processors = ['qwen2vl', 'qwen2vl_max100k', 'qwen3vl', 'clip336'] as const
const limitMs = 60_000

describe.skipIf(!present)('on WebGPU', () => {
  beforeAll(() => configureKernels({ mode: 'webgpu' }))
  afterAll(() => configureKernels({ mode: 'auto' }))

  async function prepareAll(name: string): Promise<void> {
    const { data, width, height } = await pixelsOf(name)
    for (const processor of processors) {
      for (const backend of ['pil', 'tv_u8'] as const) {
        const { values } = await presetModel(processor).preprocess(data, width, height, backend)
        expect([processor, backend, sha256(values)]).toEqual([processor, backend, cases[name]!.out[processor][backend]!.sha256])
      }
    }
    expect((await kernelReport()).costs.every(({ calls }) => calls.webgpu > 0 && calls.cpu === 0)).toBe(true)
  }
  test.each(names)('%s', prepareAll, limitMs)

  async function nearlyAsOnTheCpu(): Promise<void> {
    const { data, width, height } = await pixelsOf('odd_rgb.png')
    const model = presetModel('qwen2vl')
    const onDevice = await model.preprocess(data, width, height, 'tv_f32')
    configureKernels({ mode: 'cpu' })
    const onCpu = await model.preprocess(data, width, height, 'tv_f32')
    expect(onDevice.values.length).toBe(onCpu.values.length)
    const farthest = onDevice.values.reduce((most, value, i) => Math.max(most, Math.abs(value - onCpu.values[i]!)), 0)
    expect(farthest).toBeLessThan(1 / 255 / 0.26)
  }
  test('in floats: as on the CPU, but for a level', nearlyAsOnTheCpu, limitMs)
})
