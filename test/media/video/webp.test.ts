import { expect, test } from 'bun:test'
import { rgbToYuv420 } from '../../../kernels/rgb-to-yuv420/kernel.ts'
import { imageCodec } from '../../../src/media/image/codec.ts'
import { startClip } from '../../../src/media/video/clip.ts'
import { webpAnimation } from '../../../src/media/video/webp-animation.ts'
import { chart, worstError } from '../chart.ts'

const shape = { width: chart.width, height: chart.height, fps: 12, pixels: 'rgb24' as const, ffmpeg: null }

/** Frames under each other, and what the head says, read by libwebp's own demuxer. */
async function read(bytes: Uint8Array) {
  const sharp = await imageCodec()
  const image = sharp(bytes, { animated: true })
  return { head: await image.metadata(), rgb: new Uint8Array(await image.clone().removeAlpha().raw().toBuffer()) }
}

test('without ffmpeg a clip is an animated WebP that says why', async () => {
  const clip = startClip({ ...shape, frames: 5 })
  for (let i = 0; i < 5; i++) await clip.write(chart.rgb)
  const made = await clip.finish()
  expect(made).toMatchObject({
    contentType: 'image/webp',
    extension: 'webp',
    frames: 5,
    note: 'an animated WebP instead of an MP4, because ffmpeg is switched off',
  })
  const { head, rgb } = await read(made.bytes)
  // 12 frames a second in whole milliseconds, without drift.
  expect(head).toMatchObject({ pages: 5, width: chart.width, pageHeight: chart.height, loop: 0, delay: [83, 84, 83, 83, 84] })
  for (let i = 0; i < 5; i++) expect(worstError(rgb.subarray(i * chart.rgb.length))).toBeLessThanOrEqual(6)
})

test('a program that is not there is named', async () => {
  const clip = startClip({ ...shape, frames: 1, ffmpeg: '/nowhere/ffmpeg' })
  await clip.write(chart.rgb)
  expect((await clip.finish()).note).toBe('an animated WebP instead of an MP4, because no ffmpeg was found')
})

for (const [width, height] of [
  [1, 1],
  [17, 3],
] as const) {
  test(`${width}x${height} keeps its odd size`, async () => {
    const clip = startClip({ ...shape, width, height, frames: 2 })
    for (const value of [40, 200]) await clip.write(new Uint8Array(width * height * 3).fill(value))
    const made = await clip.finish()
    expect(made).toMatchObject({ width, height, frames: 2 })
    const { head, rgb } = await read(made.bytes)
    expect(head).toMatchObject({ pages: 2, width, pageHeight: height })
    expect(Math.abs(rgb[0]! - 40)).toBeLessThan(4)
    expect(Math.abs(rgb.at(-1)! - 200)).toBeLessThan(4)
  })
}

test('YUV frames are taken too', async () => {
  const clip = startClip({ ...shape, frames: 1, pixels: 'yuv420p' })
  await clip.write(await rgbToYuv420(chart.rgb, chart.width, chart.height))
  const { rgb } = await read((await clip.finish()).bytes)
  expect(worstError(rgb)).toBeLessThanOrEqual(8)
})

test('a side longer than the format has is refused', async () => {
  const clip = startClip({ ...shape, width: 16384, height: 1, frames: 1 })
  await expect(clip.write(new Uint8Array(16384 * 3))).rejects.toMatchObject({ code: 'encoding_failed' })
})

test('what is no WebP picture is not put into an animation', () =>
  expect(() => webpAnimation([new Uint8Array(40)], [0, 10], 2, 2)).toThrow('not a WebP picture'))
