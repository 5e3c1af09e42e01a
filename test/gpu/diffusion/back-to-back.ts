// Requests that wait for each other: what the GPU does not do between two of them.
import { median } from '../load.ts'
import { ask, now, round, type Shape } from './ask.ts'
import type { Contender } from './contenders.ts'
import { passesOf } from './marks.ts'

/** `count` requests at once. Idle is the time between a pass's frames being in the host's memory and the beginning of the next one. */
export async function backToBack(who: Contender, shape: Shape, count: number) {
  const before = passesOf(who.marks).length
  const begun = now()
  await Promise.all(Array.from({ length: count }, (_, i) => ask(who, shape, 500 + i)))
  const ms = now() - begun
  const passes = passesOf(who.marks).slice(before)
  const gaps = passes.slice(1).map((pass, i) => round(pass.began - passes[i]!.ended!))
  const between = passes.slice(1).map((pass, i) => round(pass.steps[0]! - passes[i]!.stepped!))
  const span = passes.at(-1)!.ended! - passes[0]!.began
  return {
    requests: count,
    ms: round(ms),
    idleMs: gaps,
    medianIdleMs: median(gaps),
    idlePercent: Math.round((10_000 * gaps.reduce((sum, gap) => sum + gap, 0)) / span) / 100,
    lastStepToFirstStepMs: between,
  }
}
