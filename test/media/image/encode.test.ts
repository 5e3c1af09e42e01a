import { expect, test } from 'bun:test'
import { encodeImage, type ImageFormat } from '../../../src/media/image/encode.ts'
import { readPixels } from '../../../src/media/input/input.ts'
import { defaultPolicy } from '../../../src/media/input/policy.ts'
import { need } from '../../helpers/need.ts'
import { chart, decodeByFfmpeg, hasFfmpeg, worstError } from '../chart.ts'

const { rgb, ...size } = chart
const pixelsOf = async (bytes: Uint8Array, alpha = false) =>
  (await readPixels({ bytes }, defaultPolicy, 'file', new AbortController().signal, { alpha })).data

// format, largest error of a patch in steps of 255
const formats: [string, ImageFormat, number][] = [
  ['png', { type: 'png' }, 0],
  ['png without effort', { type: 'png', compression: 0 }, 0],
  ['png with all effort', { type: 'png', compression: 100 }, 0],
  ['jpeg', { type: 'jpeg' }, 2],
  ['jpeg of small files', { type: 'jpeg', compression: 40 }, 5],
  ['webp', { type: 'webp' }, 4],
  ['webp, lossless', { type: 'webp', compression: 100 }, 0],
]

for (const [name, format, most] of formats) {
  test(`${name} keeps the chart's colours`, async () => {
    const file = await encodeImage(rgb, size, format)
    expect(worstError(await pixelsOf(file.bytes))).toBeLessThanOrEqual(most)
    expect(file).toMatchObject({ contentType: `image/${format.type}`, transparent: false })
  })

  test.skipIf(!need('ffmpeg', hasFfmpeg))(`${name}: ffmpeg reads the same colours`, async () => {
    const file = await encodeImage(rgb, size, format)
    // Its JPEG and WebP decoders round once more on the way to RGB.
    expect(worstError(decodeByFfmpeg(file.bytes))).toBeLessThanOrEqual(most === 0 ? 0 : most + 2)
  })
}

test('lossless files give back every byte', async () => {
  const noise = Uint8Array.from({ length: 31 * 17 * 3 }, (_, i) => (i * 2654435761) >>> 24)
  for (const format of [{ type: 'png' }, { type: 'webp', compression: 100 }] as const) {
    const { bytes } = await encodeImage(noise, { width: 31, height: 17 }, format)
    expect(Buffer.from(await pixelsOf(bytes)).equals(Buffer.from(noise))).toBe(true)
  }
})

test('a PNG has no chunk but its head, its density, its pixels and its end', async () => {
  const bytes = Buffer.from((await encodeImage(rgb, size, { type: 'png' })).bytes)
  const names: string[] = []
  for (let at = 8; at < bytes.length; at += 12 + bytes.readUInt32BE(at)) names.push(bytes.toString('latin1', at + 4, at + 8))
  expect([...new Set(names)]).toEqual(['IHDR', 'pHYs', 'IDAT', 'IEND'])
})

test('a JPEG of high quality keeps colour at full size, a small one halves it; neither has metadata', async () => {
  for (const [compression, sampling] of [
    [undefined, 0x11],
    [80, 0x22],
  ] as const) {
    const { bytes } = await encodeImage(rgb, size, { type: 'jpeg', ...(compression && { compression }) })
    const markers = jpegMarkers(bytes)
    expect(bytes[markers.get(0xc0)! + 11]).toBe(sampling)
    expect([...markers.keys()].filter((marker) => marker > 0xe0 && marker <= 0xef)).toEqual([])
  }
})

test('compression sets size: quality down, bytes down; effort up, bytes down', async () => {
  const photo = Uint8Array.from({ length: 128 * 128 * 3 }, (_, i) => 128 + 100 * Math.sin(i / 97) + ((i * 2654435761) >>> 29))
  const bytes = async (format: ImageFormat) => (await encodeImage(photo, { width: 128, height: 128 }, format)).bytes.length
  for (const type of ['jpeg', 'webp'] as const) {
    expect(await bytes({ type, compression: 20 })).toBeLessThan(await bytes({ type, compression: 95 }))
  }
  expect(await bytes({ type: 'png', compression: 0 })).toBeGreaterThan(128 * 128 * 3)
  expect(await bytes({ type: 'png' })).toBeLessThan(128 * 128 * 3)
})

test('alpha stays where it exists and the format has it; else pixels lie on white', async () => {
  const rgba = Uint8Array.from([255, 0, 0, 255, 0, 0, 255, 0])
  const wide = { width: 2, height: 1 }
  const png = await encodeImage(rgba, wide, { type: 'png' })
  expect([...(await pixelsOf(png.bytes, true))]).toEqual([...rgba])
  expect(png.transparent).toBe(true)
  const opaque = await encodeImage(rgba, wide, { type: 'png', background: 'opaque' })
  expect([...(await pixelsOf(opaque.bytes))]).toEqual([255, 0, 0, 255, 255, 255])
  expect(opaque.transparent).toBe(false)
  expect((await encodeImage(rgba, wide, { type: 'jpeg' })).transparent).toBe(false)
  // Without alpha nothing is made transparent, whatever was asked for.
  expect((await encodeImage(rgb, size, { type: 'png', background: 'transparent' })).transparent).toBe(false)
})

for (const [width, height] of [
  [1, 1],
  [1, 7],
  [13, 5],
] as const) {
  test(`${width}x${height}`, async () => {
    const pixels = new Uint8Array(width * height * 3).fill(77)
    for (const type of ['png', 'jpeg', 'webp'] as const) {
      const { bytes } = await encodeImage(pixels, { width, height }, { type })
      expect((await pixelsOf(bytes)).every((value) => Math.abs(value - 77) <= 1)).toBe(true)
    }
  })
}

test('the same pixels give the same bytes', async () => {
  for (const type of ['png', 'jpeg', 'webp'] as const) {
    const twice = await Promise.all([encodeImage(rgb, size, { type }), encodeImage(rgb, size, { type })])
    expect(Buffer.from(twice[0].bytes).equals(Buffer.from(twice[1].bytes))).toBe(true)
  }
})

test('the event loop goes on while a picture is written', async () => {
  const big = new Uint8Array(1024 * 1024 * 3)
  for (let i = 0; i < big.length; i++) big[i] = (i * 2654435761) >>> 24
  let turns = 0
  const timer = setInterval(() => turns++, 1)
  await encodeImage(big, { width: 1024, height: 1024 }, { type: 'png' })
  clearInterval(timer)
  expect(turns).toBeGreaterThan(3)
})

test('pixels that do not fit the size are a failure, not a picture', () =>
  expect(encodeImage(new Uint8Array(10), { width: 2, height: 2 }, { type: 'png' })).rejects.toMatchObject({ code: 'encoding_failed' }))

test('a size that the format cannot have is a failure', () =>
  expect(encodeImage(new Uint8Array(3 * 17000), { width: 17000, height: 1 }, { type: 'webp' })).rejects.toMatchObject({
    code: 'encoding_failed',
  }))

/** Where each segment of a JPEG begins, by its marker's second byte. */
function jpegMarkers(bytes: Uint8Array): Map<number, number> {
  const found = new Map<number, number>()
  for (let at = 2; bytes[at] === 0xff && bytes[at + 1] !== 0xda; at += 2 + (bytes[at + 2]! << 8) + bytes[at + 3]!)
    found.set(bytes[at + 1]!, at)
  return found
}
