// Many encoders as one: balance, retry, encoders that die, hang, come back, join and leave.
import { expect, test } from 'bun:test'
import { type MockEncoder, type MockEncoderOptions, mockEncoder } from '../../../../src/engine/vision/mock/encoder.ts'
import { type PoolOptions, type VisionPool, visionPool } from '../../../../src/engine/vision/pool/pool.ts'
import { AppError } from '../../../../src/lib/errors.ts'
import { madeUpPicture } from '../../../helpers/media-items.ts'
import { visionSuite } from '../../../suites/vision.suite.ts'
import { kept, options, startPool } from './world.ts'

const never = new AbortController().signal
/** Hanging is seen after 60 ms here. */
const quick: PoolOptions = { patience: { graceMs: 60, slack: 4, msPerPatch: 0 }, giveUpMs: 300 }

function poolOf(count: number): VisionPool {
  const pool = visionPool()
  for (let i = 0; i < count; i++) pool.add(`${i}`, mockEncoder(options))
  return pool
}

visionSuite('pool of one', () => poolOf(1), { pictures: [madeUpPicture('a'), madeUpPicture('b', 6, 8), madeUpPicture('c')] })
visionSuite(
  'pool of encoders that show life',
  () => {
    const pool = visionPool()
    for (const id of ['a', 'b']) pool.add(id, mockEncoder({ ...options, alive: true }))
    return pool
  },
  { pictures: [madeUpPicture('a'), madeUpPicture('b', 6, 8)] },
)
visionSuite('pool of three', () => poolOf(3), { pictures: [madeUpPicture('a'), madeUpPicture('b', 6, 8)] })

const start = (failures: string[], more = quick, each?: Partial<MockEncoderOptions>) => startPool(failures, more, each)

test('pictures that come at once are spread by patches: three small ones weigh what a large one does', async () => {
  const { pool } = await start(['', ''])
  const work = [
    pool.encode(madeUpPicture('large', 6, 10), never),
    ...['a', 'b', 'c'].map((name) => pool.encode(madeUpPicture(name, 4, 5), never)),
  ]
  expect(pool.figures().map(({ patches }) => patches)).toEqual([240, 240])
  await Promise.all(work)
  expect(
    pool
      .figures()
      .map(({ pictures }) => pictures)
      .sort(),
  ).toEqual([1, 3])
})

test('pools that do not know of each other send the same picture to the same idle encoder, and spread different ones', async () => {
  const [one, other] = [(await start(['', '', ''])).pool, (await start(['', '', ''])).pool]
  const took = (pool: VisionPool) => pool.figures().map(({ pictures }) => pictures)
  for (let i = 0; i < 30; i++) {
    for (const pool of [one, other]) await pool.encode(madeUpPicture(`picture ${i}`), never)
    expect(took(other)).toEqual(took(one))
  }
  for (const count of took(one)) expect(count).toBeGreaterThan(3)
})

test('a failure, a short block of rows and a death are made good elsewhere; a bad picture is not tried twice', async () => {
  for (const fault of ['error', 'short-row', 'die-after=0,restart=never']) {
    const { pool, encoders } = await start([fault, ''])
    encoders[1]!.hang()
    const other = pool.encode(madeUpPicture('heavier', 9, 9), never)
    const rows = pool.encode(madeUpPicture('a'), never)
    if (fault.startsWith('die')) encoders[0]!.die()
    encoders[1]!.revive()
    expect((await rows).rows).toBe(12)
    await other
  }
  const { pool, encoders } = await start(['', ''])
  let asked = 0
  for (const encoder of encoders)
    encoder.encode = () => {
      asked++
      return Promise.reject(new AppError('invalid_image', { message: 'a poem, no picture' }))
    }
  await expect(pool.encode(madeUpPicture('a'), never)).rejects.toMatchObject({ code: 'invalid_image' })
  expect(asked).toBe(1)
})

test('an encoder that hangs is left alone, its pictures go elsewhere, and it is tried again beside the running work', async () => {
  const { pool, encoders, notices } = await start(['', ''])
  const [stuck, well] = encoders as [MockEncoder, MockEncoder]
  stuck.hang()
  const all = await Promise.all(Array.from({ length: 10 }, (_, i) => pool.encode(madeUpPicture(`${i}`), never)))
  expect(all.map(({ rows }) => rows)).toEqual(Array(10).fill(12))
  expect(pool.figures()).toMatchObject([
    { id: 'e0', ready: true, aside: true, pictures: 0 },
    { id: 'e1', aside: false, pictures: 10 },
  ])
  expect(notices).toContain('the vision encoder e0 finishes nothing; its pictures go elsewhere until it does')
  stuck.revive()
  while (pool.figures()[0]!.aside) {
    await pool.encode(madeUpPicture('again'), never)
    await Bun.sleep(20)
  }
  while (pool.figures()[0]!.pictures === 0) {
    await pool.encode(madeUpPicture('again'), never)
    await Bun.sleep(5)
  }
  expect(notices).toContain('the vision encoder e0 answers again')
  expect(well.encoded).toBeGreaterThan(10)
})

test('a slow encoder that goes on finishing is not taken for one that hangs', async () => {
  const { pool } = await start([''], quick, { msPerPicture: 30 })
  const all = await Promise.all(Array.from({ length: 8 }, (_, i) => pool.encode(madeUpPicture(`${i}`), never)))
  expect(all).toHaveLength(8)
  expect(pool.figures()).toMatchObject([{ failures: 0, pictures: 8 }])
})

test('a picture whose only encoder hangs fails at once; one that was only slower than thought shows it, and gets more time from then on', async () => {
  const { pool, notices } = await start([''], { ...quick, giveUpMs: 5000 }, { msPerPicture: 150 })
  await expect(pool.encode(madeUpPicture('a'), never)).rejects.toMatchObject({
    code: 'engine_unavailable',
    message: expect.stringContaining('did not answer in time'),
  })
  expect((await pool.encode(madeUpPicture('a'), never)).rows).toBe(12)
  expect(pool.figures()).toMatchObject([{ failures: 1, pictures: 2 }])
  expect(notices).toEqual([
    'the vision encoder e0 finishes nothing; its pictures go elsewhere until it does',
    'the vision encoder e0 answers again',
  ])
})

test('while nobody knows whether an encoder hangs, its next pictures fail as soon, and say why', async () => {
  const { pool, encoders } = await start([''])
  encoders[0]!.hang()
  await expect(pool.encode(madeUpPicture('a'), never)).rejects.toMatchObject({ code: 'engine_unavailable' })
  await expect(pool.encode(madeUpPicture('b'), never)).rejects.toMatchObject({
    code: 'engine_unavailable',
    message: 'The vision encoder e0 did not answer in time. The vision encoder e0 is left alone for now.',
  })
  // It has the first, to show that it is well.
  expect(encoders[0]!.patchesInFlight()).toBe(48)
  encoders[0]!.revive()
  expect((await pool.encode(madeUpPicture('c'), never)).rows).toBe(12)
  expect(pool.figures()).toMatchObject([{ pictures: 2, patches: 0 }])
})

test('an encoder with a pool of its own is not asked twice for what it has tried', async () => {
  const { pool, encoders } = await start(['error'])
  let asked = 0
  const [encoder] = encoders as [MockEncoder]
  const far = Object.assign(mockEncoder(options), { retries: true as const })
  far.encode = (item, signal) => {
    asked++
    return encoder.encode(item, signal)
  }
  const outer = kept(visionPool(quick))
  outer.add('far', far)
  await outer.start()
  await expect(outer.encode(madeUpPicture('a'), never)).rejects.toMatchObject({ code: 'engine_failed' })
  expect(asked).toBe(1)
  await expect(pool.encode(madeUpPicture('a'), never)).rejects.toMatchObject({ code: 'engine_failed' })
  expect(encoder.encoded).toBeGreaterThan(2)
})

test('with no encoder left a picture waits for one, and then fails with the cause', async () => {
  const { pool, encoders } = await start(['restart=100', ''])
  for (const encoder of encoders) encoder.die()
  expect(pool.ready).toBe(false)
  expect((await pool.encode(madeUpPicture('a'), never)).rows).toBe(12)

  const alone = await start(['restart=never'])
  alone.encoders[0]!.die()
  await expect(alone.pool.encode(madeUpPicture('a'), never)).rejects.toMatchObject({
    code: 'engine_unavailable',
    message: expect.stringContaining('No vision encoder is running'),
  })
  const broken = await start(['error'])
  await expect(broken.pool.encode(madeUpPicture('a'), never)).rejects.toMatchObject({
    code: 'engine_failed',
    message: expect.stringContaining('told to fail'),
  })
})

test('encoders join and leave while pictures run; one of another domain stands by', async () => {
  const { pool, encoders, notices } = await start([''])
  const leaving = pool.encode(madeUpPicture('on its way'), never)
  pool.add('late', mockEncoder(options))
  const gone = pool.remove('e0')
  const next = pool.encode(madeUpPicture('b'), never)
  expect((await leaving).rows).toBe(12)
  await gone
  expect(encoders[0]!.ready).toBe(false)
  expect((await next).rows).toBe(12)
  expect(pool.figures()).toMatchObject([{ id: 'late', pictures: 1 }])

  pool.add('other', mockEncoder({ ...options, dim: 32 }))
  await Bun.sleep(5)
  expect(notices.at(-1)).toContain('the vision encoder other stands by')
  expect((await pool.encode(madeUpPicture('c'), never)).dim).toBe(16)
  await pool.remove('late')
  expect((await pool.encode(madeUpPicture('c'), never)).dim).toBe(32)
})

test('200 pictures at once while encoders are killed, hang and come back: none is lost, each has its own rows', async () => {
  const { pool, encoders } = await start(
    ['restart=40', 'restart=60', 'restart=50', ''],
    { patience: { graceMs: 100 } },
    { msPerPicture: 3 },
  )
  const alone = mockEncoder(options)
  await alone.start()
  const pictures = Array.from({ length: 200 }, (_, i) => madeUpPicture(`picture ${i}`, 2 + (i % 5), 3 + (i % 7)))
  const expected = await Promise.all(pictures.map(async (picture) => (await alone.encode(picture, never)).itemHash))
  let killed = 0
  const trouble = setInterval(() => {
    encoders[killed++ % 3]!.die()
    if (killed === 4) encoders[3]!.hang()
    if (killed === 16) encoders[3]!.revive()
  }, 25)
  const got = await Promise.all(pictures.map(async (picture) => (await pool.encode(picture, never)).itemHash))
  clearInterval(trouble)
  expect(got).toEqual(expected)
  expect(killed).toBeGreaterThan(4)
  expect(pool.patchesInFlight()).toBe(0)
}, 30_000)
