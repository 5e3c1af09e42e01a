// A sign of life: does the bridge answer, and does each of these ranks still make a token (or a vector)?
import { canaryRequest } from '../../canary.ts'
import type { Engine } from '../../engine.ts'
import type { Sink } from '../../types.ts'

/** Resolves when the bridge and every rank answered, whatever they said. Rejects when one did not within `limitMs`. */
export async function probe(engine: Engine, ranks: readonly number[], limitMs: number): Promise<void> {
  const late = (who: string) => new Error(`${who} did not answer within ${limitMs / 1000} s`)
  const signal = AbortSignal.timeout(limitMs)
  const ping = new Promise<void>((resolve, reject) => {
    signal.addEventListener('abort', () => reject(late('the bridge')), { once: true })
    engine.control('ping', {}).then(() => resolve(), reject)
  })
  const canaries = ranks.map(async (rank) => {
    await canary(engine, rank, signal)
    if (signal.aborted) throw late(`rank ${rank}`)
  })
  await Promise.all([ping, ...canaries])
}

/** Resolves at the answer's end, a refusal, or the signal's abort. */
async function canary(engine: Engine, rank: number, signal: AbortSignal): Promise<void> {
  const request = canaryRequest(engine.info, rank, `probe-${rank}`)
  if (engine.info.isEmbedding) {
    // A refusal is an answer too.
    await engine.embed(request, signal).catch(() => {})
    return
  }
  const sink: Sink = { push() {}, end() {}, fail() {} }
  await engine.generate(request, sink, signal)
}
