// Work that is done once for many: everything marked during one turn of the event loop runs in a single microtask at its end.
// An engine frame marks many connections; each is then written once.
import { log } from './log.ts'

export interface TurnEnd {
  /** Called once after a turn in which it was marked. What it throws is logged. */
  turnEnd(): void
  /** Owned by `markTurn`; start with false. */
  marked: boolean
}

let waiting: TurnEnd[] = []
let spare: TurnEnd[] = []

function run(): void {
  const batch = waiting
  waiting = spare
  for (let i = 0; i < batch.length; i++) {
    const item = batch[i]!
    item.marked = false
    try {
      item.turnEnd()
    } catch (error) {
      // The others of this turn would never be called again.
      log.error({ err: error }, 'work at the end of a turn threw')
    }
  }
  batch.length = 0
  spare = batch
}

/** Asks for `item.turnEnd()` when the current turn's synchronous work is over. */
export function markTurn(item: TurnEnd): void {
  if (item.marked) return
  item.marked = true
  if (waiting.push(item) === 1) queueMicrotask(run)
}
