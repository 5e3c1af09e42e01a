import { expect, test } from 'bun:test'
import sharp from 'sharp'
import { toModelPixels } from '../../../src/media/input/decode.ts'
import { jpegScans } from '../../../src/media/input/jpeg-scans.ts'
import { flagImage, scanBomb, whole } from './pictures.ts'

test('a usual file has one scan, a progressive one about ten', async () => {
  expect(jpegScans(whole.jpeg)).toBe(1)
  const progressive = await flagImage().jpeg({ progressive: true }).toBuffer()
  expect(jpegScans(progressive)).toBeGreaterThan(5)
  expect(jpegScans(progressive)).toBeLessThan(20)
})

test('bytes between segments hide none; markers in notes and behind the end do not count', async () => {
  const scan = Buffer.of(0xff, 0xda, 0, 2)
  const end = whole.jpeg.length - 2
  expect(jpegScans(Buffer.concat([whole.jpeg.subarray(0, end), Buffer.of(1, 2, 0xff, 0xff), scan, whole.jpeg.subarray(end)]))).toBe(2)
  const note = Buffer.concat([Buffer.of(0xff, 0xfe, 0, 6), scan])
  expect(jpegScans(Buffer.concat([whole.jpeg.subarray(0, 2), note, whole.jpeg.subarray(2), scan, scan]))).toBe(1)
  for (const cut of [0, 1, 2, 3, 10]) expect(jpegScans(whole.jpeg.subarray(0, cut))).toBe(0)
})

test('a file of many scans, each of them allowed, is refused before it is decoded', async () => {
  const allowed = scanBomb(1024, 99)
  expect(jpegScans(allowed)).toBe(100)
  expect((await sharp(allowed).stats()).channels).toHaveLength(3)
  expect(await toModelPixels(allowed, 1e7, 'image')).toMatchObject({ width: 1024, height: 1024 })
  await expect(toModelPixels(scanBomb(1024, 100), 1e7, 'image')).rejects.toMatchObject({
    code: 'invalid_image',
    message: 'The image at image is painted over more than 100 times; save it as a usual JPEG.',
  })
})
