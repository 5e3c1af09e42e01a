// Frames as one file: what a decoder reads of it is what went in.
import { expect, test } from 'bun:test'
import sharp from 'sharp'
import { framesFile } from '../../../../src/engine/vision/sglang/frames-file.ts'
import { hasFfmpeg } from '../../../helpers/clips.ts'
import { pngOf } from '../../../helpers/pictures.ts'

async function frames(count: number): Promise<Uint8Array[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => pngOf(140, 84, i + 1)))
}

if (hasFfmpeg())
  test.each([
    [1, 2],
    [4, 4],
    [5, 6],
  ])('%d frames are read as %d, two a second, each as it was', async (given, read) => {
    const files = await frames(given)
    const words = ['-v', 'error', '-i', '-', '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-']
    const { stdout } = Bun.spawnSync(['ffmpeg', ...words], { stdin: framesFile(files, 140, 84) })
    const pixels = await Promise.all(files.map((file) => sharp(file).raw().toBuffer()))
    const wanted = Array.from({ length: read }, (_, i) => pixels[Math.min(i, given - 1)]!)
    expect(stdout.equals(Buffer.concat(wanted))).toBe(true)
  })

test('its index finds every frame, and its rate is the one that SGLang picks by', async () => {
  const files = await frames(3)
  const bytes = Buffer.from(framesFile(files, 140, 84))
  expect(bytes.readUInt32LE(4)).toBe(bytes.length - 8)
  expect(bytes.readUInt32LE(bytes.indexOf('avih') + 8)).toBe(500_000)
  const [movie, index] = [bytes.indexOf('movi'), bytes.indexOf('idx1')]
  const found = Array.from({ length: bytes.readUInt32LE(index + 4) / 16 }, (_, i) => {
    const entry = index + 8 + i * 16
    const at = movie + bytes.readUInt32LE(entry + 8) + 8
    return bytes.subarray(at, at + bytes.readUInt32LE(entry + 12))
  })
  expect(found.map((frame) => frame.length)).toEqual([...files, files[2]!].map(({ length }) => length))
  expect(found[1]!.equals(files[1]!)).toBe(true)
})
