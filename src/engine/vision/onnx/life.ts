// Signs of life of a tower's process while its own thread computes: a thread that does nothing else writes a byte to a pipe of its own. A process that is stopped, or whose
// machine has no time for it, is silent.
import { closeSync, fstatSync } from 'node:fs'
import { type Beating, startBeat, stopBeat } from '../../../transport/plane/beat.ts'

/** The pipe in the process; 0 to 2 are taken. */
export const lifeFd = 3
const everyMs = 250
/** Ticks of silence after which a process that was heard before is given up (1.25 s). */
const deadTicks = 5

/** In the process: from now on. Nothing happens where nobody listens. */
export function showLife(): void {
  try {
    if (!fstatSync(lifeFd).isFIFO() && !fstatSync(lifeFd).isSocket()) return
  } catch {
    return // Started by hand.
  }
  const words = `const { writeSync } = require('node:fs'); setInterval(() => writeSync(${lifeFd}, '.'), ${everyMs})`
  const thread = new Worker(URL.createObjectURL(new Blob([words], { type: 'application/javascript' })))
  // Nobody hears it any more: the other pipes end this process.
  thread.onerror = () => {}
  thread.unref()
}

export interface Listening {
  /** performance.now() of the last sign; undefined before the first. */
  readonly heardAt: number | undefined
  /** Any other sign of it. */
  heard(): void
  close(): void
}

/** Outside: reads `fd`, this end of the pipe, until `close`. `silent` is told once, when a process that was heard is not any more; its own start takes as long as it takes. */
export function listenForLife(fd: number, silent: () => void): Listening {
  let heardAt: number | undefined
  let ticks = 0
  const heard = () => {
    heardAt = performance.now()
    ticks = 0
  }
  const beat: Beating = {
    // Counted and not timed: our own loop may have stood still.
    tick() {
      if (heardAt === undefined || ++ticks < deadTicks) return
      stopBeat(beat)
      silent()
    },
  }
  startBeat(beat)
  const reader = Bun.file(fd).stream().getReader()
  const reading = (async () => {
    try {
      while (!(await reader.read()).done) heard()
    } catch {
      // The process is gone, which others tell.
    }
  })()
  return {
    get heardAt() {
      return heardAt
    },
    heard,
    close() {
      stopBeat(beat)
      void reader.cancel().catch(() => {})
      // The stream leaves it open.
      void reading.then(() => closeSync(fd))
    },
  }
}
