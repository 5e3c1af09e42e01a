import { describe, expect, test } from 'bun:test'
import { rgbToYuv420Rows } from '../../kernels/rgb-to-yuv420/cpu.ts'
import { rgbToYuv420, rgbToYuv420Call } from '../../kernels/rgb-to-yuv420/kernel.ts'
import { rgbToYuv420Plain, yuv420Bytes } from '../../kernels/rgb-to-yuv420/reference.ts'
import { embeddings, embedWat } from '../helpers/build-wat.ts'
import { need } from '../helpers/need.ts'
import { random } from '../helpers/random.ts'
import { difference, kernelSuite } from '../suites/kernel.suite.ts'

const sizes = [
  [1, 1],
  [2, 1],
  [1, 2],
  [3, 5],
  [7, 11],
  [16, 16],
  [64, 4],
  [65, 1],
  [257, 3],
  [127, 61],
] as const // prettier-ignore

kernelSuite(
  sizes.map(([width, height]) => {
    const next = random(width * 1000 + height)
    const rgb = Uint8Array.from({ length: 3 * width * height }, () => next(256))
    return {
      name: `${width}x${height}`,
      call: () => rgbToYuv420Call(rgb, width, height),
      plain: () => rgbToYuv420Plain(rgb, width, height),
    }
  }),
)

test('the embedded bytes are what the source says', async () => {
  expect(await Bun.file(embeddings.yuv420.ts).text()).toBe(await embedWat(embeddings.yuv420))
})

test('without WebAssembly: typed arrays alone give the same', () => {
  const next = random(3)
  const rgb = Uint8Array.from({ length: 3 * 37 * 21 }, () => next(256))
  const out = new Uint8Array(yuv420Bytes(37, 21))
  rgbToYuv420Rows(rgb, 37, 21, out, 0, 11)
  expect([...out]).toEqual([...rgbToYuv420Plain(rgb, 37, 21)])
})

describe('values of BT.709 limited range', () => {
  test.each([
    ['black', [0, 0, 0], [16, 128, 128]],
    ['white', [255, 255, 255], [235, 128, 128]],
    ['grey', [128, 128, 128], [126, 128, 128]],
    ['red', [255, 0, 0], [63, 102, 240]],
    ['green', [0, 255, 0], [173, 42, 26]],
    ['blue', [0, 0, 255], [32, 240, 118]],
  ])('%s', async (_, color, expected) => {
    const planes = await rgbToYuv420(Uint8Array.from([...color, ...color, ...color, ...color]), 2, 2)
    expect([...planes]).toEqual([...Array(4).fill(expected[0]), expected[1], expected[2]])
  })

  test('every colour is within one of the exact value', () => {
    let most = 0
    for (let color = 0; color < 1 << 24; color += 997) {
      const [r, g, b] = [color >> 16, (color >> 8) & 255, color & 255]
      const planes = rgbToYuv420Plain(Uint8Array.of(r, g, b), 1, 1)
      const y = 0.2126 * r + 0.7152 * g + 0.0722 * b
      const exact = [16 + (219 / 255) * y, 128 + ((224 / 255) * (b - y)) / 1.8556, 128 + ((224 / 255) * (r - y)) / 1.5748]
      for (const [i, value] of exact.entries()) most = Math.max(most, Math.abs(planes[i]! - value))
    }
    expect(most).toBeLessThan(0.52)
  })
})

test('chroma lies on the left pixel of its pair', () => {
  // One blue column in black: whole in the pair whose left pixel it is, halved in the two pairs around when it is a right one.
  const chromaOfColumn = (blue: number) => {
    const rgb = new Uint8Array(3 * 8 * 2)
    for (const row of [0, 8]) rgb[3 * (row + blue) + 2] = 255
    return [...rgbToYuv420Plain(rgb, 8, 2).subarray(16, 20)]
  }
  expect(chromaOfColumn(2)).toEqual([128, 184, 128, 128])
  expect(chromaOfColumn(3)).toEqual([128, 156, 156, 128])
})

test('chroma of an odd size is rounded up', () => expect(yuv420Bytes(3, 5)).toBe(15 + 2 * 6))

test('a length that does not fit is refused', async () =>
  expect(rgbToYuv420(new Uint8Array(11), 2, 2)).rejects.toThrow('rgb has 11 bytes, 2x2 needs 12'))

test.skipIf(!need('ffmpeg', Bun.which('ffmpeg') !== null))(
  'ffmpeg, told BT.709 and limited range, comes to the same within its rounding',
  async () => {
    // Smooth colours: ffmpeg filters chroma otherwise.
    const [width, height] = [64, 48]
    const rgb = Uint8Array.from({ length: 3 * width * height }, (_, i) => {
      const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)]
      return [4 * x, 5 * y, 255 - 2 * (x + y)][i % 3]!
    })
    const colours =
      'scale=in_range=pc:out_range=tv:out_color_matrix=bt709:out_h_chr_pos=0:out_v_chr_pos=128:flags=bilinear+accurate_rnd+full_chroma_inp+bitexact'
    const from = ['-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', `${width}x${height}`, '-i', '-']
    const ffmpeg = Bun.spawnSync(['ffmpeg', '-v', 'error', ...from, '-vf', colours, '-pix_fmt', 'yuv420p', '-f', 'rawvideo', '-'], {
      stdin: rgb,
    })
    const ours = await rgbToYuv420(rgb, width, height)
    const theirs = new Uint8Array(ffmpeg.stdout)
    expect(ffmpeg.stderr.toString()).toBe('')
    const luma = width * height
    expect(difference(ours.subarray(0, luma), theirs.subarray(0, luma)).most).toBeLessThanOrEqual(1)
    const chroma = difference(ours.subarray(luma), theirs.subarray(luma))
    expect(chroma.most).toBeLessThanOrEqual(1)
    // With chroma anywhere else than on the left pixel it is most of them.
    expect(chroma.bytes).toBeLessThan((theirs.length - luma) / 10)
  },
)
