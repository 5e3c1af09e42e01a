// Jobs given up at random steps, by closing the connection and by DELETE: how soon the GPU is free.
import { median } from '../load.ts'
import { msUntil } from '../processes.ts'
import { now, ourBody, post, round, type Shape } from './ask.ts'
import type { Contender } from './contenders.ts'
import { type Pass, passesOf } from './marks.ts'

interface Row {
  how: 'disconnect' | 'DELETE'
  atStep: number
  /** From giving up until the GPU has nothing to do any more. */
  freeMs: number
  /** From giving up until the engine has left the job. */
  leftMs: number
  /** Steps that began after it. */
  stepsBegun: number
  answeredMs?: number
  /** Median time between the beginnings of the steps before. */
  stepMs: number
}

/** Alternates both ways where the route has a job to delete. */
export async function cancels(ours: Contender, shape: Shape, count: number, tell: (rows: Row[]) => void) {
  const rows: Row[] = []
  for (let i = 0; i < count; i++) {
    rows.push(await one(ours, shape, shape.kind === 'video' && i % 2 === 1 ? 'DELETE' : 'disconnect'))
    tell(rows)
  }
  const limit = Math.max(...rows.map(({ stepMs }) => stepMs)) + 50
  const free = rows.map(({ freeMs }) => freeMs)
  return {
    rows,
    medianFreeMs: median(free),
    worstFreeMs: Math.max(...free),
    limitMs: round(limit),
    within: free.every((ms) => ms <= limit),
  }
}

async function one(ours: Contender, shape: Shape, how: Row['how']): Promise<Row> {
  const index = passesOf(ours.marks).length
  const pass = (): Pass | undefined => passesOf(ours.marks)[index]
  const stop = new AbortController()
  const route = shape.kind === 'image' ? '/v1/images/generations' : '/v1/videos'
  const asked = post(
    `${ours.url}${route}`,
    { ...ourBody(shape, 900 + index), ...(how === 'DELETE' ? { background: true } : {}) },
    stop.signal,
  )
  asked.catch(() => {}) // given up below
  const atStep = 2 + Math.floor(Math.random() * Math.max(1, shape.steps - 4))
  if ((await msUntil(() => (pass()?.steps.length ?? 0) > atStep, 120_000, 2)) === null) throw new Error(`step ${atStep} did not come`)
  const before = pass()!.steps
  const stepMs = median(before.slice(1).map((step, i) => step - before[i]!))
  await Bun.sleep(Math.random() * stepMs)
  const begun = now()
  let answeredMs: number | undefined
  if (how === 'disconnect') stop.abort()
  else {
    const { id } = (await (await asked).json()) as { id: string }
    const response = await fetch(`${ours.url}/v1/videos/${id}`, { method: 'DELETE' })
    if (!response.ok) throw new Error(`DELETE: ${response.status} ${await response.text()}`)
    answeredMs = round(now() - begun)
  }
  if ((await msUntil(() => pass()?.free !== undefined, 30_000, 2)) === null)
    throw new Error(`the engine did not leave: ${JSON.stringify(pass())}`)
  const { free = 0, ended = 0, steps } = pass()!
  return {
    ...{ how, atStep, freeMs: round(free - begun), leftMs: round(ended - begun), stepMs: round(stepMs) },
    stepsBegun: steps.filter((at) => at > begun).length,
    ...(answeredMs === undefined ? {} : { answeredMs }),
  }
}
