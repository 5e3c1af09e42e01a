// kill -9 of a part of a prefill and decode pair while requests are in every phase: what clients see, and how it goes on.
import type { Pair } from './apart.ts'
import { emptied } from './cancel.ts'
import { type Report, workersOf } from './plan.ts'
import { alive, family, msUntil } from './processes.ts'
import { complete, openStream, promptIds, toldOf } from './streams.ts'

/** `victim`: prefill or decode, and what of it: scheduler, bridge (it hosts the bootstrap server of prefill), worker (our process, its engine goes with it). */
export async function killed(pair: Pair, report: Report, victim: string, texts: () => Promise<unknown>): Promise<void> {
  const [role, part] = victim.split('-') as ['prefill' | 'decode', string]
  const side = pair[role]
  const { longPrompt, longAnswer } = pair.plan
  const below = family(side.process.pid)
  const pid = part === 'worker' ? side.process.pid : [...below].find(([, name]) => name.includes(part))?.[0]
  if (pid === undefined) return report.note(`kill -9 ${victim}`, { skipped: `no process calls itself ${part}`, below: [...below.values()] })
  let over = false
  await report.step(`kill -9 ${victim}`, 90, async () => {
    const decoding = Array.from({ length: 16 }, (_, i) => openStream({ ...pair, prompt: promptIds(100, 50_000 + i), tokens: longAnswer }))
    await Promise.all(decoding.map((one) => one.first))
    await Bun.sleep(300)
    const starting = Array.from({ length: 16 }, (_, i) => openStream({ ...pair, prompt: promptIds(longPrompt, 51_000 + i), tokens: 64 }))
    await Bun.sleep(40)
    const from = performance.now()
    process.kill(pid, 'SIGKILL')
    const next = complete({ ...pair, prompt: promptIds(100, 52_000), tokens: 16 }, 30_000)
    const children = [...below.keys()]
    const gone = part === 'worker' ? await msUntil(() => !children.some(alive), 10_000) : undefined
    const [decodingTold, startingTold, answer] = await Promise.all([toldOf(decoding, from), toldOf(starting, from), next])
    over = true
    const { status, code, ms, workerId, prefillWorkerId, completionTokens } = answer
    return {
      ...{ decoding: decodingTold, inPrefill: startingTold },
      requestRightAfter: { status, code, ms, workerId, prefillWorkerId, completionTokens },
      ...(gone !== undefined && { engineProcessesGoneMs: gone }),
    }
  })
  if (!over) return
  if (part === 'worker') {
    await report.step(`after kill -9 ${victim}`, 60, async () => {
      const unlistedMs = await msUntil(async () => !(await workersOf(pair.url)).some((one) => one.role === role), 10_000, 20)
      const { status, code, ms, workerId, prefillWorkerId, completionTokens } = await complete({
        ...pair,
        prompt: promptIds(100, 53_000),
        tokens: 16,
      })
      return { unlistedMs, nextRequest: { status, code, ms, workerId, prefillWorkerId, completionTokens } }
    })
    return
  }
  await report.step(`after kill -9 ${victim}`, pair.plan.readySecs, async () => {
    const backMs = await msUntil(
      async () => {
        const workers = await workersOf(pair.url)
        return workers.length === 2 && workers.every((one) => one.ready)
      },
      pair.plan.readySecs * 1000 - 5000,
      100,
    )
    return { pairAgainSecs: backMs === null ? null : Math.round(backMs / 100) / 10, ...(await emptied(pair)), texts: await texts() }
  })
}
