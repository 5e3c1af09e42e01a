import { expect, test } from 'bun:test'
import { latentsOf, thumbnail } from '../../../../src/engine/mock/diffusion/latents.ts'
import { drawPicture } from '../../../../src/engine/mock/diffusion/picture.ts'

const request = { seed: 7, steps: 9, words: 'a fox' }
const sha256 = (bytes: Uint8Array | Float32Array<ArrayBuffer>) => Bun.SHA256.hash(bytes as Uint8Array, 'hex')

function turns() {
  const counted = { turns: 0, turn: async () => void counted.turns++ }
  return counted
}

test('the same request is the same picture in every version, however it is drawn', async () => {
  const small = turns()
  expect(sha256(await drawPicture({ ...request, width: 33, height: 17 }, small.turn))).toBe(
    'cfd4d8284c1b0d97136360647a55e6d5e5e778a4446cbca757fcb9d36d8c0690',
  )
  expect(small.turns).toBe(0)
  const large = turns()
  expect(sha256(await drawPicture({ ...request, width: 1024, height: 1000 }, large.turn))).toBe(
    '07e37658871f4be4602074ec5f44c8c6ad5d2797176d3afacf328253f8494db9',
  )
})

test('large pictures and their latents are made in parts, and others run between them', async () => {
  const [width, height] = [4096, 2048]
  const drawing = turns()
  const rgb = await drawPicture({ ...request, width, height }, drawing.turn)
  expect(drawing.turns).toBeGreaterThanOrEqual(28)
  const counting = turns()
  const small = await thumbnail(rgb, width, height, counting.turn)
  expect(counting.turns).toBeGreaterThanOrEqual(28)
  const noise = turns()
  await latentsOf(small, { family: 'flux', left: 0.5, seed: 3 }, noise.turn)
  expect(noise.turns).toBeGreaterThanOrEqual(7)
})

test('latents are the same however they are counted', async () => {
  const { turn } = turns()
  const rgb = await drawPicture({ ...request, width: 333, height: 1111 }, turn)
  const latents = await latentsOf(await thumbnail(rgb, 333, 1111, turn), { family: 'flux', left: 0.5, seed: 3 }, turn)
  expect(sha256(latents.data as Float32Array<ArrayBuffer>)).toBe('33ce2dffd015d9f2febf1b3899d454e92be71b06f69081e6fb52cc38b00cdab1')
})

test('drawing ends when its job does', async () => {
  const ended = new Error('ended')
  await expect(drawPicture({ ...request, width: 4096, height: 4096 }, () => Promise.reject(ended))).rejects.toBe(ended)
})
