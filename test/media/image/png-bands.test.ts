import { expect, test } from 'bun:test'
import sharp from 'sharp'
import { encodeImage } from '../../../src/media/image/encode.ts'
import { inBands, pngInBands } from '../../../src/media/image/png-bands.ts'
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
  test(`${width}x${height}x${channels}: every pixel comes back, from bands and from one piece`, async () => {
    const pixels = picture(width, height, channels)
    const [few, many] = await Promise.all([2, 4].map((cores) => encodeImage(pixels, { width, height }, { type: 'png' }, cores)))
    for (const { bytes, transparent } of [few!, many!]) {
      const { data, info } = await decoded(bytes)
      expect(info).toMatchObject({ width, height, channels })
      expect(Buffer.compare(data, pixels)).toBe(0)
      expect(transparent).toBe(channels === 4)
    }
    // Two ways, or this test shows nothing.
    expect(Buffer.compare(few!.bytes, many!.bytes)).not.toBe(0)
  })
}

test('bands take four cores and three bands', () => {
  expect([1, 2, 3, 4, 16].filter((cores) => inBands(1024, 1024, cores))).toEqual([4, 16])
  expect([512, 640, 1024].filter((side) => inBands(side, side, 16))).toEqual([640, 1024])
})

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
  const write = async (cores: number) => (await encodeImage(pixels, { width, height }, { type: 'png' }, cores)).bytes
  const bytes = await write(4)
  expect(Buffer.compare(await write(16), bytes)).toBe(0)
  expect(bytes.length).toBeLessThan((await write(1)).length * 1.01)
})

test.skipIf(!need('ffmpeg', hasFfmpeg))('ffmpeg finds no fault with checksums', async () => {
  const { bytes } = await encodeImage(picture(800, 600, 3), { width: 800, height: 600 }, { type: 'png' }, 4)
  const read = Bun.spawnSync(['ffmpeg', '-v', 'error', '-err_detect', 'crccheck+explode', '-i', 'pipe:0', '-f', 'null', '-'], {
    stdin: bytes,
    stderr: 'pipe',
  })
  expect([read.exitCode, read.stderr.toString()]).toEqual([0, ''])
})
