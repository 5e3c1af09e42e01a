// Every picture of the fixtures as every processor sees it: `pil` and `tv_u8` to the bit, `tv_f32` within one level of 255.
import { describe, expect, test } from 'bun:test'
import type { PresetName } from '../../../src/media/vision/presets.ts'
import type { Backend } from '../../../src/media/vision/vision.ts'
import given from '../../fixtures/vision/given.json'
import { cases, type Made, pixelsOf, placesOf, presetModel, sampled, sha256 } from './vectors.ts'

/** One level of a byte in normalised values: the smallest deviation is 0.26 (CLIP), or 0.5. */
const oneLevel: Record<string, number> = { qwen3vl: 2 / 255, gemma3: 2 / 255, llama4: 2 / 255 + 0.004 }
const clipLevel = 1 / 255 / 0.261
/** InternVL's values are rounded to bfloat16; PyTorch's sums end on the other side now and then. */
const bf16Step = 2 ** -7

/** Decoded otherwise than by Pillow, on purpose (decode.ts). */
const ownDecoding: string[] = []

describe.each(Object.keys(cases).filter((name) => !ownDecoding.includes(name)))('%s', (name) => {
  const one = cases[name]!
  const decoded = pixelsOf(name)

  test('is decoded as by Pillow', async () => {
    const { data, width, height } = await decoded
    expect([width, height]).toEqual(one.size)
    expect(sha256(data)).toBe(one.rgb)
  })

  for (const [processor, byBackend] of Object.entries(one.out) as [PresetName, Partial<Record<Backend, Made>>][]) {
    for (const [backend, made] of Object.entries(byBackend) as [Backend, Made][]) {
      test(`${processor}, ${backend}`, async () => {
        const { data, width, height } = await decoded
        const model = presetModel(processor)
        const { values, shape, grid, tokens } = await model.preprocess(data, width, height, backend)
        const plan = model.plan(width, height, name)
        expect([plan.grid, plan.tokens]).toEqual([grid, tokens])
        // Llama 4's has a batch around the tiles.
        expect([...shape]).toEqual(made.shape.slice(made.shape.length - shape.length))
        if (made.grid !== undefined) expect([[...grid]]).toEqual(made.grid)
        if (made.samples === undefined) expect(sha256(values)).toBe(made.sha256)
        else if (processor === 'internvl')
          expect(farthest(values, sampled(made.samples), (value) => 1 / Math.abs(value || 1))).toBeLessThanOrEqual(bf16Step)
        else expect(farthest(values, sampled(made.samples))).toBeLessThanOrEqual(oneLevel[processor] ?? clipLevel)
      })
    }
  }
})

function farthest(values: Float32Array, samples: Float32Array, scale: (value: number) => number = () => 1): number {
  const places = placesOf(values.length, samples.length)
  return samples.reduce((most, sample, i) => Math.max(most, Math.abs(sample - values[places[i]!]!) * scale(sample)), 0)
}

describe('an older set of sums, also of the resized bytes', () => {
  for (const [name, { out }] of Object.entries(given)) {
    for (const [processor, byBackend] of Object.entries(out)) {
      for (const backend of ['pil', 'tv_u8'] as const) {
        const [grid, resized, u8, values] = byBackend[backend] as [number[][] | null, [number, number], string, string]
        test(`${name}, ${processor}, ${backend}`, async () => {
          const { data, width, height } = await pixelsOf(name)
          const model = presetModel(processor as PresetName)
          const made = await model.preprocess(data, width, height, backend)
          expect(sha256(made.pixels!)).toBe(u8)
          expect(sha256(made.values)).toBe(values)
          expect(model.plan(width, height, name).resized).toEqual(resized)
          if (grid !== null) expect([[...made.grid]]).toEqual(grid)
        })
      }
    }
  }
})
