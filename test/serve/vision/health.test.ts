// /health of an encode worker: a tiny picture is asked of each encoder.
import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { mockEncoder } from '../../../src/engine/vision/mock/encoder.ts'
import { defaultPolicy } from '../../../src/media/input/policy.ts'
import { visionModelOf } from '../../../src/media/vision/open.ts'
import { canaryPicture } from '../../../src/serve/vision/canary.ts'
import { encoderHealth } from '../../../src/serve/vision/health.ts'
import { madeUpPicture } from '../../helpers/media-items.ts'
import { pngOf } from '../../helpers/pictures.ts'

const never = new AbortController().signal
const engine = { kind: 'mock', level: 'encoder', version: '1', model: 'm' }

function watched(failure = '', freshMs = 0) {
  const encoder = mockEncoder({ modelPath: 'm', dim: 8, failure })
  const own = { id: 'e', encoder, reason: 'starting' }
  const health = encoderHealth({ encoders: () => [own], engine, picture: async () => madeUpPicture('canary'), freshMs, timeoutMs: 50 })
  return { encoder, health, check: async () => (await health.check())[0]! }
}

test('an encoder that encodes is well', async () => {
  const { encoder, check } = watched()
  expect(await check()).toMatchObject({ healthy: false, ready: false, reason: 'starting', ranks: [] })
  await encoder.start()
  expect(await check()).toMatchObject({ id: 'e', healthy: true, engine, ranks: [{ canary: 'passed', error: null }] })
})

test('one that fails, gives too few rows or says nothing is not; as soon as it encodes again it is', async () => {
  const failing = watched('error')
  await failing.encoder.start()
  expect(await failing.check()).toMatchObject({ healthy: false, ready: true, ranks: [{ canary: 'failed' }] })
  const short = watched('short-row')
  await short.encoder.start()
  expect((await short.check()).healthy).toBe(false)
  const { encoder, check } = watched()
  await encoder.start()
  encoder.hang()
  expect(await check()).toMatchObject({ healthy: false, ranks: [{ error: 'no rows within 50 ms' }] })
  encoder.revive()
  expect((await check()).healthy).toBe(true)
})

test('a proof counts for a while, but not over a restart', async () => {
  const { encoder, check } = watched('', 60_000)
  await encoder.start()
  for (let i = 0; i < 3; i++) await check()
  expect(encoder.encoded).toBe(1)
  encoder.die()
  encoder.revive()
  await check()
  expect(encoder.encoded).toBe(2)
})

test('the picture is one that the model takes, or the one that the operator names', async () => {
  const sight = (await visionModelOf(join(import.meta.dir, '../../../models/tiny-vl')))!
  const plain = await canaryPicture(sight, undefined, defaultPolicy, never)
  expect(plain).toMatchObject({ kind: 'image', tokens: sight.plan(56, 56, '').tokens, placeholder: sight.imageTokenId })
  const url = `data:image/png;base64,${Buffer.from(await pngOf(112, 84)).toString('base64')}`
  expect(await canaryPicture(sight, { image_url: { url } }, defaultPolicy, never)).toMatchObject({ width: 112, height: 84 })
  // A payload for the text workers of the same machine.
  expect(await canaryPicture(sight, { token_ids: [1] }, defaultPolicy, never)).toMatchObject({ width: 56 })
  expect(canaryPicture(sight, { image_url: 'data:,x' }, defaultPolicy, never)).rejects.toThrow('DYN_HEALTH')
})
