// A line on the terminal that says how far the load test is. Nothing is written when stderr is no terminal.
import type { Tally } from './load.ts'

const everyMs = 250
const barWidth = 24

/** Shows the tally until `stop` is called. `share` is the done part of the run, 0 to 1. */
export function startProgress(tally: Tally, share: () => number, out: NodeJS.WriteStream = process.stderr): { stop(): void } {
  if (!out.isTTY) return { stop: () => {} }
  const timer = setInterval(() => out.write(`\r\x1b[K${progressLine(tally, share(), performance.now())}`), everyMs)
  return {
    stop() {
      clearInterval(timer)
      out.write('\r\x1b[K')
    },
  }
}

export function progressLine(tally: Tally, share: number, now: number): string {
  const secs = Math.max(0.001, (now - tally.startedAt) / 1000)
  const filled = Math.round(Math.min(1, Math.max(0, share)) * barWidth)
  const bar = '█'.repeat(filled) + '░'.repeat(barWidth - filled)
  const rate = ((tally.done - tally.failed) / secs).toFixed(1)
  return `${bar} ${tally.done} done, ${tally.sent - tally.done} running, ${tally.failed} failed, ${rate} requests/s, ${(tally.outputTokens / secs).toFixed(0)} tokens/s`
}
