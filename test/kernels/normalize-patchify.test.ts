import { describe, expect, test } from 'bun:test'
import { normalizePatchify, normalizePatchifyCall, patchifyBytes } from '../../kernels/normalize-patchify/kernel.ts'
import { levelsOf, toBf16 } from '../../kernels/normalize-patchify/levels.ts'
import { normalizePatchifyPlain } from '../../kernels/normalize-patchify/reference.ts'
import { random } from '../helpers/random.ts'
import { kernelSuite } from '../suites/kernel.suite.ts'

const clip = { mean: [0.48, 0.457, 0.408], std: [0.268, 0.261, 0.275], rescale: 1 / 255 } as const
const orders = [
  { width: 28, height: 56, patch: 14, merge: 2, temporal: 2, frames: 1 },
  { width: 64, height: 32, patch: 16, merge: 2, temporal: 2, frames: 1 },
  // A clip: every frame is its own.
  { width: 28, height: 28, patch: 14, merge: 2, temporal: 2, frames: 4 },
  // Tiles.
  { width: 66, height: 44, patch: 22, merge: 1, temporal: 1, frames: 1 },
  // A table is looked up: more than two frames in a patch; fewer than four pixels in a row of one.
  { width: 28, height: 28, patch: 14, merge: 2, temporal: 3, frames: 1 },
  { width: 9, height: 6, patch: 3, merge: 1, temporal: 1, frames: 1 },
]

const cases = orders.map(({ frames, ...order }) => {
  const next = random(order.width)
  const pictures = Array.from({ length: frames }, () => Uint8Array.from({ length: 3 * order.width * order.height }, () => next(256)))
  return { name: `${frames} of ${order.width}x${order.height} in ${order.patch}`, pictures, order }
})

// `torch` may be reckoned instead of looked up.
describe.each(['pil', 'torch'] as const)('normalised as %s', (rounding) => {
  const levels = levelsOf(clip, rounding)
  kernelSuite(
    cases.map(({ name, pictures, order }) => ({
      name,
      call: () => normalizePatchifyCall(pictures, order, levels),
      plain: () => new Uint8Array(normalizePatchifyPlain(pictures, order, levels).buffer),
    })),
  )
})

describe('bytes as they are', () => {
  const asTheyAre = Float32Array.from({ length: 768 }, (_, i) => i % 256)
  kernelSuite(
    cases.map(({ name, pictures, order }) => ({
      name,
      call: () => normalizePatchifyCall(pictures, order, undefined),
      plain: () => Uint8Array.from(normalizePatchifyPlain(pictures, order, asTheyAre)),
    })),
  )
})

test('a table of bytes gives what normalising first would have', async () => {
  const { pictures, order } = cases[0]!
  const levels = levelsOf(clip, 'torch')
  const [values, bytes] = await Promise.all([normalizePatchify(pictures, order, levels), patchifyBytes(pictures, order)])
  const area = order.patch ** 2 * order.temporal
  expect(bytes.length).toBe(values.length)
  expect(values.every((value, i) => value === levels[256 * (Math.floor(i / area) % 3) + bytes[i]!])).toBe(true)
})

test('roundings differ in the last bit: they are different processors', () => {
  const [pil, torch] = [levelsOf(clip, 'pil'), levelsOf(clip, 'torch')]
  const farthest = pil.reduce((most, value, i) => Math.max(most, Math.abs(value - torch[i]!)), 0)
  expect(farthest).toBeGreaterThan(0)
  expect(farthest).toBeLessThan(5e-7)
})

test('bfloat16: halves go to the even neighbour', () => {
  // 8 bits: between 256 and 258 lies 257.
  expect([255, 256, 257, 258, 259].map(toBf16)).toEqual([255, 256, 256, 258, 260])
})

test('what is no whole number of blocks or frames is refused', async () => {
  const order = { width: 4, height: 4, patch: 2, merge: 2, temporal: 2 }
  const frame = new Uint8Array(48)
  expect(patchifyBytes([frame], { ...order, width: 6 })).rejects.toThrow('6 pixels are no whole blocks of 4')
  expect(patchifyBytes([frame, frame, frame], order)).rejects.toThrow('3 frames are no whole patches of 2')
  expect(patchifyBytes([new Uint8Array(47)], order)).rejects.toThrow('a frame has 47 bytes, 4x4 needs 48')
})
