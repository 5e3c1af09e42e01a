// Encoders that show life while they work: one that is silent, one that is slow, and a slow picture that is given to two.
import { expect, test } from 'bun:test'
import type { MockEncoder } from '../../../../src/engine/vision/mock/encoder.ts'
import type { PoolOptions } from '../../../../src/engine/vision/pool/pool.ts'
import { madeUpPicture } from '../../../helpers/media-items.ts'
import { startPool as start } from './world.ts'

const never = new AbortController().signal
/** Of encoders that show life: silence is seen after 100 ms here, work may take two seconds more than thought. */
const living: PoolOptions = { patience: { silenceMs: 100, livingGraceMs: 2000, msPerPatch: 100, slack: 0, hedgeMs: 1e6 }, giveUpMs: 200 }

test('an encoder that is silent is left at once, however long its work may take, and used as soon as it is heard again', async () => {
  const { pool, encoders, notices } = await start(['', ''], living, { alive: true })
  const [frozen] = encoders as [MockEncoder]
  const work = Array.from({ length: 6 }, (_, i) => pool.encode(madeUpPicture(`${i}`, 20, 20), never))
  frozen.hang()
  expect((await Promise.all(work)).map(({ rows }) => rows)).toEqual(Array(6).fill(400))
  expect(notices).toEqual(['the vision encoder e0 shows no sign of life; its pictures go elsewhere until it does'])
  // Nobody is sent there to try.
  expect(frozen.patchesInFlight()).toBe(0)
  await Promise.all(Array.from({ length: 6 }, (_, i) => pool.encode(madeUpPicture(`more ${i}`), never)))
  expect(pool.figures()).toMatchObject([{ pictures: 0 }, { pictures: 12 }])
  frozen.revive()
  await Promise.all(Array.from({ length: 6 }, (_, i) => pool.encode(madeUpPicture(`again ${i}`), never)))
  expect(pool.figures()).toMatchObject([{ pictures: 3 }, { pictures: 15 }])
})

test('a picture whose only encoder is silent fails with that cause, also one that comes later', async () => {
  const { pool, encoders } = await start([''], living, { alive: true, msPerPicture: 50 })
  const told: string[] = []
  pool.on(({ ready, reason }) => told.push(`${ready} ${reason}`))
  const running = pool.encode(madeUpPicture('a'), never)
  encoders[0]!.hang()
  const silent = { code: 'engine_unavailable', message: expect.stringContaining('e0 shows no sign of life') }
  await expect(running).rejects.toMatchObject(silent)
  await expect(pool.encode(madeUpPicture('b'), never)).rejects.toMatchObject(silent)
  expect(pool.ready).toBe(false)
  const waiting = pool.encode(madeUpPicture('c'), never)
  encoders[0]!.revive()
  expect((await waiting).rows).toBe(12)
  // Also who does not ask hears that it is back.
  while (told.length < 2) await Bun.sleep(10)
  expect(told).toEqual(['false encoder e0 shows no sign of life', 'true encoder e0 shows life again'])
})

test('a slow encoder that shows life gets its time, but not for ever', async () => {
  const { pool } = await start([''], living, { alive: true, msPerPicture: 300 })
  expect((await pool.encode(madeUpPicture('a'), never)).rows).toBe(12)
  const endless = await start([''], living, { alive: true, msPerPicture: 60_000 })
  await expect(endless.pool.encode(madeUpPicture('a'), never)).rejects.toMatchObject({
    code: 'engine_unavailable',
    message: expect.stringContaining('did not answer in time'),
  })
  expect(endless.pool.figures()).toMatchObject([{ aside: true, failures: 1 }])
})

test('a slow picture is given to an idle encoder as well: the first rows win, the other work is dropped', async () => {
  const hedging: PoolOptions = { patience: { ...living.patience, livingGraceMs: 60_000, msPerPatch: 0, hedgeMs: 50 } }
  const { pool, encoders, notices } = await start(['', ''], hedging, { alive: true })
  const [slow, other] = encoders as [MockEncoder, MockEncoder]
  // What does not answer, and is alive.
  slow.encode = (_, signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
  const work = ['a', 'b', 'c', 'd'].map((name) => pool.encode(madeUpPicture(name), never))
  expect(pool.figures().map(({ patches }) => patches)).toEqual([96, 96])
  expect((await Promise.all(work)).map(({ rows }) => rows)).toEqual([12, 12, 12, 12])
  expect(other.encoded).toBe(4)
  expect(pool.figures()).toMatchObject([
    { pictures: 0, failures: 0, patches: 0, aside: false },
    { pictures: 4, patches: 0 },
  ])
  expect(notices).toEqual([])
  // Nobody is idle: it waits for the one that has it.
  const alone = await start([''], hedging, { msPerPicture: 200 })
  expect((await alone.pool.encode(madeUpPicture('a'), never)).rows).toBe(12)
  expect(alone.encoders[0]!.encoded).toBe(1)
})

test('of a picture that two encoders have the failure of one is not the end; who leaves ends both', async () => {
  const hedging: PoolOptions = { patience: { ...living.patience, livingGraceMs: 60_000, msPerPatch: 0, hedgeMs: 20 } }
  const both = async (signal: AbortSignal) => {
    const { pool, encoders } = await start(['', ''], hedging, { alive: true, msPerPicture: 1500 })
    const work = pool.encode(madeUpPicture('a'), signal)
    while (encoders.some((encoder) => encoder.patchesInFlight() === 0)) await Bun.sleep(1)
    return { pool, encoders, work }
  }
  const one = await both(never)
  one.encoders[0]!.die()
  expect((await one.work).rows).toBe(12)
  const leaving = new AbortController()
  const { pool, encoders, work } = await both(leaving.signal)
  leaving.abort()
  await expect(work).rejects.toMatchObject({ code: 'client_closed_request' })
  expect(encoders.map((encoder) => encoder.patchesInFlight())).toEqual([0, 0])
  expect(pool.patchesInFlight()).toBe(0)
})
