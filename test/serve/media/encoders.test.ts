// The real encoders behind a maker: what a decoder of its own reads back is the mock's picture.
import { expect, test } from 'bun:test'
import sharp from 'sharp'
import { mockDiffusion } from '../../../src/engine/mock/diffusion/engine.ts'
import { layout, rampColours, readPicture } from '../../../src/engine/mock/diffusion/picture.ts'
import { localMaker } from '../../../src/pipeline/media/local-maker.ts'
import type { EncodedFile, MediaRequest } from '../../../src/pipeline/media/media.ts'
import { mediaEncoders } from '../../../src/serve/media/encoders.ts'
import { picture } from '../../pipeline/media/maker-world.ts'

const never = new AbortController().signal

async function makerOf(modelPath: string) {
  const engine = mockDiffusion({ modelPath, speedupRatio: 1e6 })
  await engine.start()
  return { engine, maker: localMaker({ id: 'w', engine, encoders: mediaEncoders({ ffmpeg: null, encoder: undefined }) }) }
}

const request = (more: Partial<MediaRequest>) => picture({ width: 256, height: 128, steps: 5, seed: 4711, ...more })

const pixels = async (bytes: Uint8Array, page = 0) =>
  new Uint8Array(await sharp(bytes, { page }).removeAlpha().toColourspace('srgb').raw().toBuffer())

test.each([
  ['png', 0],
  ['jpeg', 6],
  ['webp', 6],
] as const)('%s: marks and colour ramps within %d of 255', async (type, error) => {
  const { maker, engine } = await makerOf('models/tiny-FLUX.1-dev')
  const made = await maker.make(request({ format: { type } }), {}, never)
  const rgb = await pixels(made.files[0]!.bytes)
  expect(readPicture(rgb, 256, 128)).toMatchObject({ seed: 4711, steps: 5 })
  const { ramp, rampRows } = layout(128)
  for (const [i, colour] of Object.values(rampColours).entries()) {
    const row = (ramp + i * rampRows + Math.floor(rampRows / 2)) * 256 * 3
    for (let x = 8; x < 248; x += 16) {
      for (let c = 0; c < 3; c++) expect(Math.abs(rgb[row + x * 3 + c]! - colour[c]! * x)).toBeLessThanOrEqual(error)
    }
  }
  expect(engine.held()).toBe(0)
})

test('previews are pictures of half the size that look like the end', async () => {
  const { maker } = await makerOf('models/tiny-FLUX.1-dev')
  const partials: EncodedFile[] = []
  const made = await maker.make(request({ partials: 3, steps: 16 }), { partial: (_output, _index, file) => partials.push(file) }, never)
  expect(partials.map(({ width, height }) => [width, height])).toEqual([
    [128, 64],
    [128, 64],
    [128, 64],
  ])
  const small = new Uint8Array(
    await sharp(made.files[0]!.bytes).resize(128, 64, { kernel: 'cubic', fit: 'fill' }).removeAlpha().raw().toBuffer(),
  )
  const differences = await Promise.all(
    partials.map(async ({ bytes }) => (await pixels(bytes)).reduce((sum, value, i) => sum + Math.abs(value - small[i]!), 0) / small.length),
  )
  expect(differences[2]).toBeLessThan(differences[0]!)
  expect(differences[2]).toBeLessThan(20)
})

test('without ffmpeg a clip is an animated WebP that says so', async () => {
  const { maker, engine } = await makerOf('models/tiny-Wan2.1-T2V-1.3B')
  const made = await maker.make(request({ kind: 'video', frames: 9, fps: 8, format: { type: 'mp4' } }), {}, never)
  expect(made.files[0]).toMatchObject({ contentType: 'image/webp', frames: 9, fps: 8, width: 256, height: 128 })
  expect(made.files[0]!.note).toContain('ffmpeg')
  expect((await sharp(made.files[0]!.bytes, { pages: -1 }).metadata()).pages).toBe(9)
  expect(readPicture(await pixels(made.files[0]!.bytes, 8), 256, 128)).toMatchObject({ seed: 4711 })
  expect(engine.held()).toBe(0)
})
