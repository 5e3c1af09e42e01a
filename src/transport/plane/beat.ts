// The pulse of all connections of this process: one timer. Silence is counted in ticks, not in time,
// so that a loop of our own that was busy for seconds does not make everyone else look dead.

export const tickMs = 250
/** A side that has sent nothing for so many ticks sends a ping. */
export const quietTicks = 2
/** A server that was not heard for so many ticks is gone (1.5 s): its answers can go on elsewhere. So is a peer that does not greet. */
export const deadTicks = 6
/** For a client (4 s): a frontend whose loop stood still for a moment must not lose every answer of every worker. */
export const deadClientTicks = 16

export interface Beating {
  tick(): void
}

const all = new Set<Beating>()
let timer: ReturnType<typeof setInterval> | undefined

export function startBeat(one: Beating): void {
  all.add(one)
  timer ??= setInterval(tick, tickMs)
  timer.unref()
}

export function stopBeat(one: Beating): void {
  all.delete(one)
  if (all.size > 0) return
  clearInterval(timer)
  timer = undefined
}

function tick(): void {
  for (const one of all) one.tick()
}
