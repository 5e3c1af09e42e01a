// Real engines and workers die in the middle of answers: every answer equals the undisturbed one, and who comes back takes traffic again.
import { expect, test } from 'bun:test'
import { alive, descendants, schedulersOf, serving, workersOf } from '../../helpers/processes/sglang-fleet.ts'
import { until } from '../../helpers/run-request.ts'
import { sumOf } from '../../soak/churn.ts'
import { type Answer, ask, everyKind, plain, sameOf, stopping, underPenalties } from './answers.ts'
import { disturbed, undisturbed } from './disturbed.ts'
import { type Setup, startWorker, thorough } from './setup.ts'

const migrationsOf = (url: string) => sumOf(url, 'migrations_total')

/** 0 when nothing runs. */
async function booked(url: string): Promise<number> {
  const ranks = (await workersOf(url)).flatMap((one) => one.ranks)
  return ranks.reduce((sum, { booked: { prefillTokens, decodeBlocks, requests } }) => sum + prefillTokens + decodeBlocks + requests, 0)
}

export function survival(setup: () => Setup): void {
  const url = () => setup().frontend.url
  let calm: Answer[] = []
  const requests = everyKind()

  /** Whose stream is alone in the fleet loses its scheduler; resolves with the answer that came all the same. */
  async function killedAlone(asked: ReturnType<typeof underPenalties>, pieces: number): Promise<{ answer: Answer; at: string }> {
    let count = 0
    let at = ''
    const answer = await ask(url(), asked, (worker) => {
      if (++count !== pieces) return
      at = worker
      const { a, b } = setup()
      process.kill(schedulersOf([a, b].find((one) => one.id === worker)!.pid)[0]!, 'SIGKILL')
    })
    return { answer, at }
  }

  test('undisturbed, the mix is what it should be', async () => {
    // Equal each time, or the comparisons below would mean nothing.
    requests.push(stopping(requests[1]!, await ask(url(), requests[1]!)))
    calm = await undisturbed(url(), requests)
    expect((await undisturbed(url(), requests)).map(sameOf)).toEqual(calm.map(sameOf))
    expect(calm.at(-1)!.finishes).toEqual(['stop'])
    for (const [i, { name }] of requests.entries()) {
      if (!name.includes('JSON')) continue
      expect([name, calm[i]!.finishes]).toEqual([name, calm[i]!.finishes.map(() => 'stop')])
      for (const text of calm[i]!.texts) expect(Object.keys(JSON.parse(text))).toEqual(['name', 'list'])
    }
  }, 120_000)

  test('under penalties, alone: its scheduler is killed, and the engine comes back under the same frontend', async () => {
    const { a, b } = setup()
    const asked = underPenalties(70)
    const undisturbed = await ask(url(), asked)
    const before = await migrationsOf(url())
    const { answer, at } = await killedAlone(asked, 60)
    expect([a.id, b.id]).toContain(at)
    expect(sameOf(answer)).toEqual(sameOf(undisturbed))
    expect(await migrationsOf(url())).toBe(before + 1)
    expect((await workersOf(url())).find((one) => one.worker_id === at)!.ready).toBe(false)
    await serving(url(), [a.id, b.id])
    const back = await ask(url(), plain(71, { nvext: { backend_instance_id: at } }))
    expect(back.worker).toBe(at)
    expect(sameOf(back)).toEqual(sameOf(await ask(url(), plain(71))))
  }, 240_000)

  test('a worker is killed under twenty streams (and schedulers, again and again, when thorough): every answer equal', async () => {
    const before = await migrationsOf(url())
    const rounds = Math.max(1, thorough)
    const seen = await disturbed(url(), requests, calm, async ({ pieces, quiet }) => {
      const waiting = thorough > 0 ? (work: () => Promise<unknown>) => work() : quiet
      for (let round = 1; round <= rounds; round++) {
        const { a, b, fleet } = setup()
        if (thorough > 0) {
          await pieces(600)
          process.kill(schedulersOf(a.pid)[0]!, 'SIGKILL')
          await until('its death is known', async () => !(await workersOf(url())).find((one) => one.worker_id === a.id)!.ready)
          await serving(url(), [a.id, b.id])
        }
        await pieces(600)
        const left = descendants(b.pid)
        await b.kill()
        await until('nothing of it is left', () => !left.some(alive), 30_000)
        await pieces(600)
        await waiting(async () => {
          // Two ranks from now on, when this is the last (ranks.ts).
          const last = round === rounds
          setup().b = await startWorker(fleet, last ? ['--dp-size', '2'] : [], last ? { SGLANG_CPU_OMP_THREADS_BIND: '0|1' } : {})
          await serving(url(), [a.id, setup().b.id])
        })
        await pieces(600)
      }
    })
    if (thorough)
      console.log(JSON.stringify({ ...seen, failed: seen.failed.length, wrong: seen.wrong.length, migrations: await migrationsOf(url()) }))
    expect(seen.failed).toEqual([])
    expect(seen.wrong).toEqual([])
    expect(await migrationsOf(url())).toBeGreaterThanOrEqual(before + 5 * rounds)
    await until('no booking is left', async () => (await booked(url())) === 0)
  }, 1_800_000)
}
