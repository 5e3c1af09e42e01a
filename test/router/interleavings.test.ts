// Whatever happens in whatever order, nothing stays booked: placements, first rows, endings, clients that leave, workers that come and go, other frontends.
import { expect, test } from 'bun:test'
import { AppError } from '../../src/lib/errors.ts'
import type { RouterOptions } from '../../src/router/options.ts'
import type { Lease } from '../../src/router/router.ts'
import { type FakeWorker, fakeWorker, seededRandom, testPool, tokens } from '../helpers/fakes/router-pool.ts'

const idle = { requests: 0, prefillTokens: 0, decodeBlocks: 0, queued: 0 }

const settings: Record<string, Partial<RouterOptions>> = {
  kv: {},
  'kv, blocks counted each time': { assumeKvReuse: false },
  'kv without events': { useKvEvents: false },
  'kv with a queue': { engineRequestLimit: 3, queueLimit: 20 },
  'least-loaded with thresholds': { mode: 'least-loaded', activePrefillTokensThreshold: 500 },
  'round-robin with sessions': { mode: 'round-robin', sessionAffinityTtlSecs: 5 },
}

for (const [name, options] of Object.entries(settings))
  test(name, async () => {
    for (let seed = 1; seed <= 8; seed++) await story(options, seededRandom(seed))
  })

async function story(options: Partial<RouterOptions>, random: () => number): Promise<void> {
  const below = (count: number) => Math.floor(random() * count)
  const make = (id: string): FakeWorker =>
    fakeWorker(id, { dpSize: 1 + below(2), blockSize: below(4) === 0 ? 32 : 16, totalKvTokens: 100_000 })
  const { pool, workers, clock } = testPool([make('a'), make('b')], options, { random })
  const leases: Lease[] = []
  const waiting = new Set<{ client: AbortController; done: Promise<void> }>()
  const remote = testPool([make('a'), make('b')], {}, { random })
  remote.pool.onBooking((event) => pool.applyRemote('other', event))
  const far: Lease[] = []
  const prompt = () => tokens(1 + below(200), below(3))

  const acts: (() => void)[] = [
    () => {
      const client = new AbortController()
      const entry = { client, done: Promise.resolve() }
      const placement = {
        requestId: 'r',
        promptIds: prompt(),
        sessionId: below(2) === 0 ? `s${below(3)}` : undefined,
        embedding: below(5) === 0,
      }
      try {
        const placed = pool.place(placement, client.signal)
        if (!(placed instanceof Promise)) {
          leases.push(placed)
          return
        }
        waiting.add(entry)
        entry.done = placed.then(
          (lease) => void leases.push(lease),
          (error) => expect(error).toBeInstanceOf(AppError),
        )
        void entry.done.then(() => waiting.delete(entry))
      } catch (error) {
        expect(error).toBeInstanceOf(AppError)
      }
    },
    () => leases[below(leases.length)]?.started(),
    () =>
      leases.splice(below(leases.length), 1)[0]?.release(below(4) === 0 ? { error: new AppError('engine_failed', { message: 'x' }) } : {}),
    () => [...waiting][below(waiting.size)]?.client.abort(),
    () => workers.add(make(`${'abcd'[below(4)]}`)),
    () => workers.remove(`${'abcd'[below(4)]}`),
    () => (workers.all()[below(3)] as FakeWorker | undefined)?.holds(prompt()),
    () => clock.pass(below(4000)),
    () => {
      try {
        far.push(remote.place({ promptIds: prompt() }))
      } catch {}
    },
    () => far.splice(below(far.length), 1)[0]?.release(),
  ]
  for (let turn = 0; turn < 400; turn++) {
    // Placing and releasing are as likely as all the rest.
    acts[below(2) === 0 ? below(3) : below(acts.length)]!()
    if (below(3) === 0) await Promise.resolve()
  }
  for (const lease of far) lease.release()
  for (const { client } of waiting) client.abort()
  await Promise.all([...waiting].map(({ done }) => done))
  for (const lease of leases) lease.release({})
  expect(pool.booked()).toEqual(idle)
  pool.dropRemote('other')
  expect(pool.booked()).toEqual(idle)
  expect(pool.bookings()).toEqual([])
}
