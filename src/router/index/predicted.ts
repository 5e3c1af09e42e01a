// What slots are believed to hold because prompts were sent there: beside KV events until these arrive, or alone where there are none. Forgotten after a time.
import type { HashPairs } from '../../lib/block-hash.ts'
import { Believed } from './believed.ts'

export interface PredictedOptions {
  /** How long a routed prompt is believed in. */
  ttlMs: number
  /** Milliseconds that only go forward. */
  clock: () => number
  /** Blocks × slots at most; beyond it the oldest go first. */
  maxEntries: number
}

export interface Predicted {
  /** A prompt was sent to a slot: its blocks are there for `ttlMs` from now on, also those that were before. */
  add(slot: number, chain: HashPairs): void
  /** Raises entry s of `into`, for each slot s below `slots`, to the number of leading blocks that s is believed to hold. */
  match(chain: HashPairs, slots: number, into: Uint32Array): void
  /** The slot's worker is gone. */
  clear(slot: number): void
  /** Forgets what is over and gives its memory back. `add` does it by itself about four times in `ttlMs`. */
  sweep(): void
  /** Blocks × slots, those included that are over but not swept. */
  readonly entries: number
  readonly bytes: number
}

export function predicted({ ttlMs, clock, maxEntries }: PredictedOptions): Predicted {
  /** Times are milliseconds after `base`, which moves with each sweep, so that 31 bits do for ever. */
  let base = Math.floor(clock())
  let believed = new Believed(0)
  let depth = new Uint32Array(0)

  /** Goes on with what `keeps` says. */
  function keep(keeps: (slot: number, time: number) => boolean): void {
    const moved = Math.floor(clock()) - base
    let kept = 0
    believed.each((_low, _high, slot, time) => {
      if (keeps(slot, time)) kept++
    })
    const next = new Believed(Math.min(kept, believed.blocks))
    believed.each((low, high, slot, time) => {
      if (keeps(slot, time)) next.put(low, high, slot, time - moved)
    })
    believed = next
    base += moved
  }

  /** Entries told of at this time or before are over. */
  const over = () => clock() - base - ttlMs

  function sweep(): void {
    const since = over()
    keep((_slot, time) => time > since)
  }

  /** Half of the room for what comes, at the cost of the oldest. */
  function makeRoom(): void {
    sweep()
    if (believed.entries <= maxEntries / 2) return
    const times = new Int32Array(believed.entries)
    let count = 0
    believed.each((_low, _high, _slot, time) => {
      times[count++] = time
    })
    const newestGone = times.sort()[count - Math.floor(maxEntries / 2) - 1]!
    keep((_slot, time) => time > newestGone)
  }

  return {
    add(slot, chain) {
      const blocks = Math.min(chain.length >> 1, maxEntries >> 1)
      if (clock() - base > Math.max(ttlMs / 4, 1)) sweep()
      if (believed.entries + blocks > maxEntries) makeRoom()
      const time = Math.floor(clock()) - base
      for (let block = 0; block < blocks; block++) believed.put(chain[2 * block]! | 0, chain[2 * block + 1]! | 0, slot, time)
    },
    match(chain, slots, into) {
      if (believed.entries === 0) return
      if (depth.length !== slots) depth = new Uint32Array(slots)
      else depth.fill(0)
      const since = over()
      const blocks = chain.length >> 1
      for (let block = 0; block < blocks; block++)
        if (believed.advance(chain[2 * block]! | 0, chain[2 * block + 1]! | 0, since, depth, block) === 0) break
      for (let slot = 0; slot < slots; slot++) if (depth[slot]! > into[slot]!) into[slot] = depth[slot]!
    },
    clear(slot) {
      keep((other) => other !== slot)
    },
    sweep,
    get entries() {
      return believed.entries
    },
    get bytes() {
      return believed.bytes
    },
  }
}
