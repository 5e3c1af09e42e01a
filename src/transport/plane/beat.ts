// The pulse of all connections of this process: one timer. The silence of others is counted in ticks, not in time, so that a loop of our own that was busy for seconds does
// not make everyone else look dead; our own silence is counted in time, or a loop that is late again and again would seem dead to others.

export const tickMs = 250
/** A side that has sent nothing for so long sends a ping: two ticks, less what a timer may be early. */
export const quietMs = 2 * tickMs - 50
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
