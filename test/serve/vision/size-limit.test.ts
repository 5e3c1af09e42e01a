// Pictures that are too large for the encoders of a process: which ones, and what their client hears.
import { afterEach, expect, test } from 'bun:test'
import { join } from 'node:path'
import { visionOptions } from '../../../src/cli/deployment/encode-options.ts'
import { parseSettings } from '../../../src/cli/settings/parse-settings.ts'
import type { Engine } from '../../../src/engine/engine.ts'
import type { GenerateRequest, MediaItem } from '../../../src/engine/types.ts'
import { splitEngine } from '../../../src/engine/vision/split-engine.ts'
import type { AppError } from '../../../src/lib/errors.ts'
import { log } from '../../../src/lib/log.ts'
import { visionModelOf } from '../../../src/media/vision/open.ts'
import { type Encoders, openEncoders } from '../../../src/serve/vision/encoders.ts'
import { readSeeingModel } from '../../../src/serve/vision/model.ts'
import { availableMemory, largestOf, patchesOnCpu, sizeCheck, sizeLimits } from '../../../src/serve/vision/size-limit.ts'
import { madeUpPicture } from '../../helpers/media-items.ts'

log.level = 'silent'
const never = new AbortController().signal
const folder = join(import.meta.dir, '../../../models/tiny-vl')
/** Plans as Qwen2.5-VL's stock processor does. */
const { qwenFamilies } = await import('../../../src/media/vision/families/qwen.ts')
const { visionModel } = await import('../../../src/media/vision/open.ts')
const stock = visionModel(qwenFamilies[1]!, {
  config: { image_token_id: 1, video_token_id: 2 },
  processor: { max_pixels: 12_845_056, min_pixels: 3136 },
  video: {},
  tokenId: () => undefined,
})

function photo(width: number, height: number): MediaItem {
  const { grid, tokens } = stock.plan(width, height, '')
  return { ...madeUpPicture(`${width}x${height}`), width, height, grid, tokens }
}

const ending: Encoders[] = []
afterEach(() => Promise.all(ending.splice(0).map((encoders) => encoders.stop())))

async function open(flags = ''): Promise<Encoders> {
  const line = `--model-path ${folder} --engine mock --dedicated-mm-encoder --speedup-ratio 1000000 ${flags}`.trim()
  const options = visionOptions(parseSettings(line.split(' '), {}, 'serve'), {}, '127.0.0.1')!
  const model = await readSeeingModel(folder, { servedNames: ['vl'], hub: {} as never } as never, options.flag)
  const encoders = openEncoders(options, { ...model, sight: stock }, (index) => `e-${index}`)
  ending.push(encoders)
  await encoders.start()
  return encoders
}

test('without a word of the operator every picture of the model’s processor is encoded', async () => {
  expect(stock.mostPatches).toBe(65_536)
  const { forPictures } = await open()
  const largest = photo(7000, 7000)
  expect(largest.grid).toEqual([1, 256, 256])
  expect((await forPictures.encode(largest, never)).rows).toBe(16_384)
  expect(sizeLimits(undefined, 'onnx', stock)).toEqual({ clip: 65_536 })
  expect(sizeLimits(undefined, 'onnx', { plan: stock.plan, mostPatches: 5120 })).toEqual({ clip: 16_384 })
  expect(sizeLimits(undefined, 'sglang', stock)).toEqual({})
})

test('SGLang’s encoder on a CPU takes what half of the memory has room for, unless its attention needs none', () => {
  const cpu = ['--device', 'cpu']
  expect(patchesOnCpu(21e9, 1, 16, cpu)).toBe(6038)
  expect(patchesOnCpu(21e9, 4, 16, cpu)).toBe(3019)
  // A picture of 448x448 is always taken.
  expect(patchesOnCpu(1e9, 4, 16, cpu)).toBe(1024)
  expect(patchesOnCpu(21e9, 1, 16, [...cpu, '--mm-attention-backend', 'amx_attn'])).toBeUndefined()
  expect(availableMemory()).toBeGreaterThan(1e8)
  expect(sizeLimits(undefined, 'sglang', stock, 6037)).toEqual({ picture: 6037, clip: 6037 })
  expect(sizeLimits(20_000, 'sglang', stock, 6037)).toEqual({ picture: 20_000, clip: 20_000 })
})

test.each(['mock', 'sglang', 'onnx'] as const)('the operator’s limit is that of every kind (%s)', (kind) => {
  expect(sizeLimits(100, kind, stock)).toEqual({ picture: 100, clip: 100 })
})

test('what is too large never reaches an encoder, through the cache or past it', async () => {
  const { forPictures, own, pool } = await open('--vision-max-patches 16384')
  const large = photo(2240, 2200)
  for (const encoder of [forPictures, pool, own[0]!.encoder])
    await expect(encoder.encode(large, never)).rejects.toMatchObject({ code: 'invalid_image', status: 400 })
  expect(pool.figures()).toMatchObject([{ pictures: 0 }])
  expect((await forPictures.encode(photo(1792, 1760), never)).rows).toBe(4032)
})

test('the client hears which picture, its size, and the largest that fits', async () => {
  const { forPictures } = await open('--vision-max-patches 16384')
  const engine = splitEngine({ generate: () => expect.unreachable() } as unknown as Engine, forPictures)
  const parts = [photo(280, 280), photo(2240, 2200), photo(560, 280)]
  const media = parts.map((item, i) => ({ ...item, param: `messages[0].content[${i}].image_url.url` }))
  const failed = Promise.withResolvers<AppError>()
  const sink = { push: () => {}, end: () => {}, fail: failed.resolve }
  await engine.generate({ requestId: 'r', promptIds: new Uint32Array(3), media } as unknown as GenerateRequest, sink, never)
  const { code, param, message } = await failed.promise
  expect({ code, param }).toEqual({ code: 'invalid_image', param: 'messages[0].content[1].image_url.url' })
  const [width, height] = largestOf(2240, 2200, 16_384, stock)!
  expect(message).toBe(
    `The image at messages[0].content[1].image_url.url is 2240x2200, 25280 patches as the model sees it; images of at most 16384 patches (${width}x${height} in its shape) are taken here. Send a smaller one.`,
  )
})

test('the largest picture of a shape fits, and one that is a block larger does not', async () => {
  const tiny = (await visionModelOf(folder))!
  for (const [sight, most] of [
    [stock, 16_384],
    [stock, 100],
    [tiny, 64],
  ] as const)
    for (const [width, height] of [
      [2240, 2200],
      [9000, 700],
      [600, 8000],
    ] as const) {
      const [w, h] = largestOf(width, height, most, sight)!
      const patches = (scale: number) => {
        const [, rows, columns] = sight.plan(Math.round(w * scale), Math.round(h * scale), '').grid
        return rows * columns
      }
      expect(patches(1)).toBeLessThanOrEqual(most)
      expect(patches(1.2)).toBeGreaterThan(most)
    }
  expect(largestOf(100, 100, 2, stock)).toBeUndefined()
})

test('a clip is told its frames', () => {
  const clip = { ...madeUpPicture('c', 8, 8), kind: 'video', frames: [new Uint8Array(), new Uint8Array()] } as const
  expect(() => sizeCheck({ clip: 100 }, stock)({ ...clip, frames: [...clip.frames] })).toThrow(
    /^The clip, 2 frames of 224x224, is 256 patches .* at most 100 /,
  )
  expect(() => sizeCheck({ picture: 100 }, stock)({ ...clip, frames: [...clip.frames] })).not.toThrow()
})
