import { expect, test } from 'bun:test'
import sharp from 'sharp'
import { encodeImage } from '../../../src/media/image/encode.ts'
import { isLarge, pngInBands } from '../../../src/media/image/png-bands.ts'
import { need } from '../../helpers/need.ts'
import { hasFfmpeg } from '../chart.ts'

/** Slopes with some noise, like a photograph's. */
function picture(width: number, height: number, channels: 3 | 4): Uint8Array {
  const pixels = new Uint8Array(width * height * channels)
  for (let at = 0, noise = 1; at < pixels.length; at++) {
    noise = (Math.imul(noise, 1103515245) + 12345) | 0
    const pixel = Math.floor(at / channels)
    pixels[at] = (((pixel % width) * 200) / width + ((noise >>> 24) & 15) + Math.floor(pixel / width / 8) + 40 * (at % channels)) & 255
  }
  return pixels
}

const decoded = async (file: Uint8Array) => sharp(file).raw().toBuffer({ resolveWithObject: true })

// Three bands and a bit, primes, one row to a band, a column.
const sizes: [width: number, height: number, channels: 3 | 4][] = [
  [1024, 1024, 3],
  [701, 577, 3],
  [640, 641, 4],
  [140_000, 3, 3],
  [1, 400_009, 3],
]

for (const [width, height, channels] of sizes) {
  test(`${width}x${height}x${channels}: every byte comes back`, async () => {
    const pixels = picture(width, height, channels)
    expect(isLarge(width, height)).toBe(true)
    const { bytes, transparent } = await encodeImage(pixels, { width, height }, { type: 'png' })
    const { data, info } = await decoded(bytes)
    expect(info).toMatchObject({ width, height, channels })
    expect(Buffer.compare(data, pixels)).toBe(0)
    expect(transparent).toBe(channels === 4)
  })
}

test('one band is a whole picture too, at any level', async () => {
  const pixels = picture(7, 5, 3)
  for (const level of [0, 1, 3, 9]) {
    const { data } = await decoded(await pngInBands({ pixels, width: 7, height: 5, channels: 3 }, level))
    expect(Buffer.compare(data, pixels)).toBe(0)
  }
})

test('the bytes are the same each time, and hardly more than of one piece', async () => {
  const [width, height] = [1024, 768]
  const pixels = picture(width, height, 3)
  const { bytes } = await encodeImage(pixels, { width, height }, { type: 'png' })
  expect(Buffer.compare((await encodeImage(pixels, { width, height }, { type: 'png' })).bytes, bytes)).toBe(0)
  const whole = await sharp(pixels, { raw: { width, height, channels: 3 } })
    .png({ compressionLevel: 3, adaptiveFiltering: true })
    .toBuffer()
  expect(bytes.length).toBeLessThan(whole.length * 1.01)
})

test.skipIf(!need('ffmpeg', hasFfmpeg))('ffmpeg finds no fault with checksums', async () => {
  const { bytes } = await encodeImage(picture(800, 600, 3), { width: 800, height: 600 }, { type: 'png' })
  const read = Bun.spawnSync(['ffmpeg', '-v', 'error', '-err_detect', 'crccheck+explode', '-i', 'pipe:0', '-f', 'null', '-'], {
    stdin: bytes,
    stderr: 'pipe',
  })
  expect([read.exitCode, read.stderr.toString()]).toEqual([0, ''])
})
