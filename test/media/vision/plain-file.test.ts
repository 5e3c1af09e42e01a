// Files as engines get them: with the picture alone, and only where every decoder agrees what that is.
import { describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { deflateSync } from 'node:zlib'
import sharp from 'sharp'
import { toModelPixels } from '../../../src/media/input/decode.ts'
import { defaultPolicy } from '../../../src/media/input/policy.ts'
import { readPicture } from '../../../src/media/vision/picture.ts'
import { plainFile } from '../../../src/media/vision/plain-file.ts'
import { chunk } from '../input/pictures.ts'

const rgb = Uint8Array.from({ length: 60 * 40 * 3 }, (_, i) => 128 + 100 * Math.sin(i / 37) + ((i * 2654435761) >>> 28))
const image = () => sharp(rgb, { raw: { width: 60, height: 40, channels: 3 } })
const jpeg = await image().jpeg().toBuffer()
const png = await image().png().toBuffer()
const paletted = await image().png({ palette: true, colours: 40 }).toBuffer()
const twoColours = await image().threshold().png({ palette: true, colours: 2 }).toBuffer()
/** Before the first chunk of pixels. */
const pixelsAt = png.indexOf('IDAT') - 4

const into = (file: Buffer, at: number, more: Uint8Array) => Buffer.concat([file.subarray(0, at), more, file.subarray(at)])
const bomb = deflateSync(new Uint8Array(30_000_000))
const note = (name: string) => chunk(name, Buffer.concat([Buffer.from('a\0\0', 'latin1'), bomb]))
const segment = (marker: number, data: string) => {
  const head = Buffer.from([0xff, marker, 0, 0])
  head.writeUInt16BE(data.length + 2, 2)
  return Buffer.concat([head, Buffer.from(data, 'latin1')])
}
const pixels = async (file: Uint8Array) => (await sharp(file).raw().toBuffer()).toString('base64')
const read = (file: Uint8Array) =>
  readPicture(`data:;base64,${Buffer.from(file).toString('base64')}`, undefined, defaultPolicy, 'image', new AbortController().signal)

describe('what is no picture is left out, and the pixels stay', () => {
  const cases: [string, Buffer][] = [
    ['PNG: text that unpacks to 30 MB', into(png, pixelsAt, note('zTXt'))],
    ['PNG: a profile that unpacks to 30 MB', into(png, pixelsAt, note('iCCP'))],
    ['PNG: a page behind it', Buffer.concat([png, Buffer.from('<script>alert(1)</script>')])],
    ['PNG: a note whose checksum is wrong', into(png, pixelsAt, Buffer.from('\0\0\0\x01tEXtaXXXX', 'latin1'))],
    ['PNG: an animation', into(png, pixelsAt, chunk('acTL', Uint8Array.of(0, 0, 0, 9, 0, 0, 0, 0)))],
    ['JPEG: an archive behind it', Buffer.concat([jpeg, Buffer.from('PK\x03\x04 and so on')])],
    ['JPEG: a comment', into(jpeg, 2, segment(0xfe, '<html>'))],
    ['JPEG: an index of further pictures', into(jpeg, 2, segment(0xe2, 'MPF\0II*\0 nonsense'))],
  ]
  test.each(cases)('%s', async (_, file) => {
    const clean = file.subarray(0, 4).equals(png.subarray(0, 4)) ? plainFile(png, 'png')! : plainFile(jpeg, 'jpeg')!
    const got = await read(file)
    expect(Buffer.from(got.file).equals(clean)).toBe(true)
    expect(await pixels(got.file)).toBe(await pixels(clean))
  })

  test('a file that has nothing else is the same file', () => {
    const clean = plainFile(jpeg, 'jpeg')!
    expect(plainFile(clean, 'jpeg')).toBe(clean)
  })
})

describe('what is not clearly one picture becomes a new file', () => {
  const torn = into(jpeg, jpeg.length - 2, Buffer.of(0xff, 0x12, 3))
  const cases: [string, 'jpeg' | 'png', Buffer][] = [
    ['JPEG with a marker that nobody knows', 'jpeg', torn],
    ['JPEG with bytes between segments', 'jpeg', into(jpeg, 2, Buffer.of(1, 2, 3))],
    ['JPEG with two frames', 'jpeg', into(jpeg, 2, segment(0xc0, '\x08\0\x01\0\x01\x01\x01\x11\0'))],
    ['PNG with a wrong checksum', 'png', Buffer.from(png).fill(0, png.length - 2)],
    ['PNG that ends in a chunk', 'png', png.subarray(0, png.length - 6)],
    ['PNG with a palette', 'png', paletted],
    ['PNG with a palette of two colours', 'png', twoColours],
  ]
  test.each(cases)('%s', (_, format, file) => expect(plainFile(file, format)).toBeUndefined())

  test('and is still read where it can be', async () => {
    const got = await read(torn)
    expect(got.contentType).toBe('image/png')
    expect(await pixels(got.file)).toBe(await pixels(jpeg))
  })

  test.each([
    ['many', paletted],
    ['two', twoColours],
  ])('a palette of %s colours is resolved', async (_, file) => {
    const { file: made } = await read(file)
    expect(await sharp(made).metadata()).toMatchObject({ format: 'png', isPalette: false, channels: 3 })
    expect(await pixels(made)).toBe(await pixels(file))
  })
})

describe('pictures of every kind: what engines get has the pixels of what was sent', () => {
  const images = join(import.meta.dir, '../../fixtures/vision/images')
  test.each(readdirSync(images))('%s', async (name) => {
    const sent = readFileSync(join(images, name))
    const [theirs, ours] = await Promise.all([sent, (await read(sent)).file].map((file) => toModelPixels(file, 50e6, name)))
    expect(ours).toEqual(theirs)
  })
})
