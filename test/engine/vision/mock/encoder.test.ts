// The mock encoder keeps the promises of the seam, and its faults come when they are asked for.
import { expect, test } from 'bun:test'
import { mockEncoder } from '../../../../src/engine/vision/mock/encoder.ts'
import { mockRows } from '../../../../src/engine/vision/mock/rows.ts'
import { madeUpPicture } from '../../../helpers/media-items.ts'
import { visionSuite } from '../../../suites/vision.suite.ts'

const never = new AbortController().signal
const options = { modelPath: 'models/tiny-vl', dim: 16, msPerPicture: 2 }

visionSuite('mock encoder', () => mockEncoder(options), { pictures: [madeUpPicture('a'), madeUpPicture('b', 6, 8), madeUpPicture('c')] })
visionSuite('mock encoder, bfloat16', () => mockEncoder({ ...options, type: 'bfloat16', parallel: 2 }), {
  pictures: [madeUpPicture('a'), madeUpPicture('b', 6, 8)],
})

test('the three types hold the same numbers', () => {
  const exact = new Float32Array(mockRows('x', 5, 7, 'float32').buffer)
  const half = new Float16Array(mockRows('x', 5, 7, 'float16').buffer)
  const brain = new Uint16Array(mockRows('x', 5, 7, 'bfloat16').buffer)
  const widened = new Float32Array(Uint32Array.from(brain, (bits) => bits << 16).buffer)
  expect([...half]).toEqual([...exact])
  expect([...widened]).toEqual([...exact])
  expect(new Set(exact).size).toBeGreaterThan(20)
})

test('it dies after so many pictures and comes back', async () => {
  const encoder = mockEncoder({ ...options, failure: 'die-after=1,restart=20' })
  const states: boolean[] = []
  encoder.on(({ ready }) => states.push(ready))
  await encoder.start()
  const [first, second] = await Promise.allSettled([encoder.encode(madeUpPicture('a'), never), encoder.encode(madeUpPicture('b'), never)])
  expect(first.status).toBe('fulfilled')
  expect(second).toMatchObject({ status: 'rejected', reason: { code: 'engine_unavailable' } })
  while (!encoder.ready) await Bun.sleep(5)
  expect(states).toEqual([true, false, true])
  expect((await encoder.encode(madeUpPicture('b'), never)).rows).toBe(12)
  await encoder.stop()
})

test('it hangs, fails and shortens on demand', async () => {
  const hanging = mockEncoder({ ...options, failure: 'hang-after=0' })
  await hanging.start()
  const stuck = hanging.encode(madeUpPicture('a'), never)
  expect(await Promise.race([stuck, Bun.sleep(50).then(() => 'nothing')])).toBe('nothing')
  hanging.revive()
  expect((await stuck).rows).toBe(12)
  await hanging.stop()

  const faulty = mockEncoder({ ...options, failure: 'error=2,short-row=3' })
  await faulty.start()
  expect((await faulty.encode(madeUpPicture('a'), never)).rows).toBe(12)
  await expect(faulty.encode(madeUpPicture('a'), never)).rejects.toMatchObject({ code: 'engine_failed' })
  expect((await faulty.encode(madeUpPicture('a'), never)).rows).toBe(11)
  await faulty.stop()
})

test('a failure that it cannot play is refused by name', () => {
  expect(() => mockEncoder({ ...options, failure: 'explode' })).toThrow("cannot play the failure 'explode'; it knows: die-after=PICTURES")
})
