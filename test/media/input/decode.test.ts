import { expect, test } from 'bun:test'
import { imageCodec } from '../../../src/media/image/codec.ts'
import { toPng } from '../../../src/media/input/decode.ts'
import { readInput, readPixels } from '../../../src/media/input/input.ts'
import { defaultPolicy } from '../../../src/media/input/policy.ts'
import { webpAnimation } from '../../../src/media/video/webp-animation.ts'
import { flag, flagImage, gifBomb, jpegBomb, pngOf, whole } from './pictures.ts'

const sharp = await imageCodec()
const signal = new AbortController().signal
const read = (bytes: Uint8Array, policy = defaultPolicy) => readInput({ bytes }, policy, 'image[0]', signal)
const pixels = (bytes: Uint8Array, alpha = false) => readPixels({ bytes }, defaultPolicy, 'image[0]', signal, { alpha })
const failure = (bytes: Uint8Array, policy = defaultPolicy) =>
  read(bytes, policy).then(
    () => undefined,
    (error) => error,
  )

test('what comes out is a PNG of 8 bits without metadata', async () => {
  const jpeg = await flagImage()
    .withExif({ IFD0: { Copyright: 'me' } })
    .withIccProfile('srgb')
    .jpeg()
    .toBuffer()
  const png = await read(jpeg)
  const head = await sharp(png).metadata()
  expect(head).toMatchObject({ format: 'png', width: 8, height: 4, depth: 'uchar', space: 'srgb' })
  expect([head.exif, head.icc, head.xmp]).toEqual([undefined, undefined, undefined])
})

/** Red, green, blue of a pixel, each 0 or 1. */
const bits = (data: Uint8Array, at: number) => [0, 1, 2].map((c) => Math.round(data[3 * at + c]! / 255))
const [red, blue] = [
  [1, 0, 0],
  [0, 0, 1],
]

// EXIF orientation, then size and the colours of the first and the last pixel once upright (EXIF 2.32, tag 274)
const upright: [number, number, number, number[], number[]][] = [
  [1, 8, 4, red, blue],
  [2, 8, 4, blue, red],
  [3, 8, 4, blue, red],
  [4, 8, 4, red, blue],
  [5, 4, 8, red, blue],
  [6, 4, 8, red, blue],
  [7, 4, 8, blue, red],
  [8, 4, 8, blue, red],
]
for (const [orientation, width, height, first, last] of upright) {
  test(`EXIF orientation ${orientation} is applied`, async () => {
    const turned = await flagImage().withMetadata({ orientation }).jpeg({ quality: 100, chromaSubsampling: '4:4:4' }).toBuffer()
    const got = await pixels(await read(turned))
    expect({ width: got.width, height: got.height }).toEqual({ width, height })
    expect([bits(got.data, 0), bits(got.data, width * height - 1)]).toEqual([first, last])
  })
}

const flagLike: [string, () => Promise<Uint8Array>][] = [
  ['PNG', () => flagImage().png().toBuffer()],
  ['PNG with a palette', () => flagImage().png({ palette: true }).toBuffer()],
  ['PNG of 16 bits', () => flagImage().toColourspace('rgb16').png().toBuffer()],
  ['interlaced PNG', () => flagImage().png({ progressive: true }).toBuffer()],
  ['PNG with alpha', () => flagImage().ensureAlpha().png().toBuffer()],
  ['lossless WebP', () => flagImage().webp({ lossless: true }).toBuffer()],
  ['GIF', () => flagImage().gif().toBuffer()],
]
for (const [name, make] of flagLike) {
  test(`${name}: every pixel`, async () => expect([...(await pixels(await read(await make()))).data]).toEqual([...flag]))
}

const lossy: [string, () => Promise<Uint8Array>][] = [
  ['JPEG', () => flagImage().jpeg({ quality: 100, chromaSubsampling: '4:4:4' }).toBuffer()],
  ['progressive JPEG', () => flagImage().jpeg({ quality: 100, chromaSubsampling: '4:4:4', progressive: true }).toBuffer()],
  ['CMYK JPEG', () => flagImage().toColourspace('cmyk').jpeg({ quality: 100, chromaSubsampling: '4:4:4' }).toBuffer()],
  ['lossy WebP', () => flagImage().webp({ quality: 100 }).toBuffer()],
]
for (const [name, make] of lossy) {
  test(`${name}: red left, blue right`, async () => {
    const { data, channels } = await pixels(await read(await make()))
    expect(channels).toBe(3)
    expect([bits(data, 8), bits(data, 15)]).toEqual([red, blue])
  })
}

test('grey pictures of 1, 8 and 16 bits become RGB', async () => {
  const one = pngOf(8, 1, { depth: 1, colour: 0, raw: Uint8Array.of(0, 0b10101010) })
  expect([...(await pixels(one)).data].filter((_, i) => i % 3 === 0)).toEqual([255, 0, 255, 0, 255, 0, 255, 0])
  const eight = pngOf(2, 1, { depth: 8, colour: 0, raw: Uint8Array.of(0, 7, 200) })
  expect([...(await pixels(eight)).data]).toEqual([7, 7, 7, 200, 200, 200])
  const sixteen = pngOf(2, 1, { depth: 16, colour: 0, raw: Uint8Array.of(0, 7, 255, 200, 0) })
  expect([...(await pixels(sixteen)).data]).toEqual([7, 7, 7, 200, 200, 200])
})

test('alpha is kept in the PNG, and in pixels when asked for; dropped, not blended, otherwise', async () => {
  const rgba = Uint8Array.of(255, 0, 0, 255, 10, 20, 30, 0)
  const png = await sharp(rgba, { raw: { width: 2, height: 1, channels: 4 } })
    .png()
    .toBuffer()
  const kept = await read(png)
  expect(await pixels(kept, true)).toMatchObject({ width: 2, height: 1, channels: 4, data: Buffer.from(rgba) })
  expect([...(await pixels(kept)).data]).toEqual([255, 0, 0, 10, 20, 30])
})

test('a colour profile is applied: red of Display P3 is redder than sRGB can be, grey stays grey', async () => {
  const profiled = await flagImage().withIccProfile('p3').png().toBuffer()
  const raw = await sharp(profiled, { ignoreIcc: true }).raw().toBuffer()
  expect([...raw.subarray(0, 3)]).not.toEqual([255, 0, 0])
  const { data } = await pixels(profiled)
  for (let i = 0; i < flag.length; i++) expect(Math.abs(data[i]! - flag[i]!)).toBeLessThan(12)
})

test('damaged files are a picture or a failure by name, never anything else', async () => {
  let state = 1
  const random = (limit: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state % limit
  }
  const kinds = Object.values(whole)
  for (let round = 0; round < 400; round++) {
    const bytes = Buffer.from(kinds[round % kinds.length]!)
    for (let hits = 1 + random(8); hits > 0; hits--) bytes[random(random(2) === 0 ? 64 : bytes.length)] = random(256)
    const error = await failure(bytes, { ...defaultPolicy, maxPixels: 1_000_000 })
    if (error !== undefined) expect(error).toMatchObject({ name: 'AppError', code: 'invalid_image' })
  }
})

test('of an animation the first frame counts', async () => {
  const stills = await Promise.all(
    [40, 200].map((value) =>
      sharp(new Uint8Array(12).fill(value), { raw: { width: 2, height: 2, channels: 3 } })
        .webp({ lossless: true })
        .toBuffer(),
    ),
  )
  const webp = webpAnimation(stills, [0, 100, 200], 2, 2)
  expect([...(await pixels(await read(webp))).data]).toEqual(Array(12).fill(40))
  const gif = await sharp(webp, { animated: true }).gif().toBuffer()
  expect(await pixels(await read(gif))).toMatchObject({ width: 2, height: 2 })
  expect((await pixels(gif)).data[0]).toBe(40)
})

test('the limit of pixels is the last size that is read', async () => {
  const policy = { ...defaultPolicy, maxPixels: 32 }
  expect((await sharp(await read(await flagImage().png().toBuffer(), policy)).metadata()).width).toBe(8)
  expect(await failure(await flagImage().extend({ right: 1 }).png().toBuffer(), policy)).toMatchObject({
    code: 'invalid_image',
    param: 'image[0]',
    message: 'The image at image[0] has more than 0.000032 megapixels, the most that is read.',
  })
})

// Files of little size that would be gigabytes of pixels: told by their head, before a pixel is decoded.
test('no side is longer than the longest JPEG: millions of rows of one pixel would take seconds', async () => {
  const tall = (height: number) => pngOf(1, height, { depth: 1, colour: 0, raw: new Uint8Array(2 * height) })
  expect(await pixels(tall(65_535))).toMatchObject({ width: 1, height: 65_535 })
  expect(await failure(tall(65_536))).toMatchObject({
    code: 'invalid_image',
    param: 'image[0]',
    message: 'The image at image[0] is 1x65536; no side may be longer than 65535 pixels.',
  })
})

const bombs: [string, Uint8Array][] = [
  ['PNG of 100000 x 100000', pngOf(100_000, 100_000)],
  ['PNG of 2^31 - 1 squared', pngOf(2 ** 31 - 1, 2 ** 31 - 1)],
  ['PNG of 30000 x 30000, really packed', pngOf(30_000, 30_000, { depth: 1, colour: 0, raw: new Uint8Array(3751 * 30_000) })],
  ['JPEG of 65500 x 65500', jpegBomb()],
  ['GIF of 65535 x 65535', gifBomb()],
]
for (const [name, bytes] of bombs) {
  test(`bomb: ${name}`, async () => {
    const before = process.memoryUsage().rss
    expect(await failure(bytes)).toMatchObject({ code: 'invalid_image', message: expect.stringMatching(/megapixels|broken/) })
    expect(process.memoryUsage().rss - before).toBeLessThan(200e6)
  })
}

// 1600 megapixels in 200 kB: some six seconds of a fast core, of which a test takes one.
const slow = pngOf(40_000, 40_000, { depth: 1, colour: 0, raw: new Uint8Array(5001 * 40_000) })

test('a picture that is not decoded in time is told as that, and not as broken', async () => {
  const thrown = await toPng(slow, 2e9, 'image[0]', signal, 1).catch((error) => error)
  expect(thrown).toMatchObject({ code: 'overloaded', status: 529, param: 'image[0]' })
  expect(thrown.message).toStartWith('The image at image[0] was not decoded within 1 seconds.')
})

test('a client that goes away is not kept waiting, before and while its picture is decoded', async () => {
  const client = new AbortController()
  const reading = toPng(slow, 2e9, 'image[0]', client.signal, 1)
  await Bun.sleep(50)
  client.abort()
  await expect(reading).rejects.toMatchObject({ code: 'client_closed_request', param: 'image[0]' })
  const late = readInput({ bytes: whole.png }, defaultPolicy, 'image[0]', client.signal)
  await expect(late).rejects.toMatchObject({ code: 'client_closed_request' })
})

for (const [kind, bytes] of Object.entries(whole)) {
  for (const part of [0.9, 0.5, 0.02]) {
    test(`${kind}, cut after ${part * 100} %`, async () =>
      expect(await failure(bytes.subarray(0, Math.floor(bytes.length * part)))).toMatchObject({
        code: 'invalid_image',
        message: expect.stringMatching(/^The image at image\[0\] is (a broken|no picture)/),
      }))
  }
}

const text = (value: string) => Buffer.from(value, 'latin1')
const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="file:///etc/passwd"/></svg>'
const notPictures: [string, Uint8Array, RegExp][] = [
  ['SVG', text(svg), /is an SVG drawing; PNG, JPEG, WebP and GIF are read/],
  ['SVG with a prologue', text(`<?xml version="1.0"?>\n<!-- x --><!DOCTYPE svg>\n${svg}`), /is an SVG drawing/],
  ['PDF', text('%PDF-1.7\n'), /is a PDF document/],
  ['HTML', text('<!doctype html><img src=x>'), /is a web page/],
  ['AVIF', text('\0\0\0\x20ftypavif\0\0\0\0'), /is an AVIF or HEIC picture/],
  ['WebM', text('\x1aE\xdf\xa3\0\0'), /is a WebM or Matroska video/],
  ['AVI', text('RIFF\0\0\0\0AVI LIST'), /is an AVI video/],
  ['MP4', text('\0\0\0\x20ftypisom\0\0\0\0'), /is an MP4 video/],
  ['TIFF', text('II*\0\x08\0\0\0'), /is a TIFF picture/],
  ['BMP', text('BM\x46\0\0\0'), /is a BMP picture/],
  ['ZIP', text('PK\x03\x04'), /is a ZIP archive/],
  ['nothing', text(''), /is no picture/],
  ['noise', Buffer.from(flag), /is no picture/],
  ['noise behind the magic of PNG', Buffer.concat([whole.png.subarray(0, 8), flag]), /is a broken PNG/],
  ['SVG behind the magic of JPEG', Buffer.concat([text('\xff\xd8\xff'), text(svg)]), /is a broken JPEG/],
  ['RIFF that is sound', text('RIFF\x24\0\0\0WAVEfmt '), /is a WAV sound/],
]
for (const [name, bytes, message] of notPictures) {
  test(`${name} is refused`, async () =>
    expect(await failure(bytes)).toMatchObject({ code: 'invalid_image', param: 'image[0]', message: expect.stringMatching(message) }))
}

test('readers of other formats do not run, whatever leads to them', () => expect(sharp(text(svg)).metadata()).rejects.toThrow())
