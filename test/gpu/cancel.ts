// Clients that leave a prefill and decode pair: how soon nothing of their requests is left, in the frontend and inside both engines.
import type { Pair, Side } from './apart.ts'
import { type Report, workersOf } from './plan.ts'
import { msUntil } from './processes.ts'
import { openStream, promptIds } from './streams.ts'

export async function cancelled(pair: Pair, report: Report): Promise<void> {
  const { longPrompt, longAnswer } = pair.plan
  const open = (count: number, length: number, from: number) =>
    Array.from({ length: count }, (_, i) => openStream({ ...pair, prompt: promptIds(length, from + i), tokens: longAnswer }))
  await report.step('cancel: 64 streams, decoding', 60, async () => {
    const streams = open(64, 100, 10_000)
    await Promise.all(streams.map((one) => one.first))
    await Bun.sleep(500)
    const before = await inFlight(pair)
    for (const one of streams) one.leave()
    return { before, ...(await emptied(pair)) }
  })
  for (const ms of [30, 100, 300])
    await report.step(`cancel: 64 streams of long prompts, ${ms} ms after they were sent`, 60, async () => {
      const streams = open(64, longPrompt, 20_000 + ms * 100)
      await Bun.sleep(ms)
      const before = await inFlight(pair)
      for (const one of streams) one.leave()
      return { before, ...(await emptied(pair)) }
    })
  await report.step('cancel: one long prompt, at 20 moments of its first 60 ms', 60, async () => {
    const found: Awaited<ReturnType<typeof emptied>>[] = []
    for (let ms = 0; ms < 60; ms += 3) {
      const [one] = open(1, longPrompt, 40_000 + ms)
      await Bun.sleep(ms)
      one!.leave()
      found.push(await emptied(pair))
    }
    const worst = (of: 'frontendMs' | 'prefillMs' | 'decodeMs') =>
      found.some((one) => one[of] === null) ? null : Math.max(...found.map((one) => one[of]!))
    return { worstFrontendMs: worst('frontendMs'), worstPrefillMs: worst('prefillMs'), worstDecodeMs: worst('decodeMs') }
  })
}

/** How soon nothing is in flight: told by the frontend, and by each engine, which forgets its cache only when no queue of its holds a request. */
export async function emptied({ url, prefill, decode }: Pick<Pair, 'url' | 'prefill' | 'decode'>, limitMs = 10_000) {
  const [frontendMs, prefillMs, decodeMs] = await Promise.all([
    msUntil(
      async () => (await workersOf(url)).every((one) => one.in_flight === 0 && one.ranks.every(({ booked }) => booked.requests === 0)),
      limitMs,
    ),
    msUntil(() => idle(prefill), limitMs, 15),
    msUntil(() => idle(decode), limitMs, 15),
  ])
  return { frontendMs, prefillMs, decodeMs }
}

async function idle({ system }: Side): Promise<boolean> {
  const asked = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}', signal: AbortSignal.timeout(3000) }
  return (await fetch(`${system}/engine/flush_cache`, asked)).status === 200
}

async function inFlight({ url }: Pair): Promise<Record<string, number>> {
  const found: Record<string, number> = {}
  for (const { role, in_flight } of await workersOf(url)) found[role ?? ''] = (found[role ?? ''] ?? 0) + in_flight
  return found
}
