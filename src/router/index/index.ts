// Seam: which worker holds which prompt prefix. fast.ts and naive.ts (its plain twin) stand behind it; test/suites/index.suite.ts holds both.
import type { KvChange } from '../../engine/types.ts'
import type { HashPairs } from '../../lib/block-hash.ts'

/** Leading blocks of a prompt that each slot holds, by tier; a lower tier counts on where the one above ends. Reused by the next match. */
export interface Matches {
  /** Entry = slot. */
  readonly device: Uint32Array
  readonly host: Uint32Array
  readonly disk: Uint32Array
}

/** A slot is one DP rank of one worker, numbered densely from 0 by the caller; numbers are used again after `clear`. */
export interface KvIndex {
  /** What a rank's cache did. Blocks whose parent is unknown are not indexed (they are counted in `orphans`). */
  apply(slot: number, change: KvChange): void
  /** The rank is gone or its cache is empty. */
  clear(slot: number): void
  /** `chain`: the prompt's chained hashes (lib/block-hash.ts). `slots`: one more than the highest slot that is asked for. */
  match(chain: HashPairs, slots: number): Matches
  /** Everything that is known, as changes that rebuild it. */
  dump(slot: number): KvChange[]
  /** Blocks × slots that hold them. */
  readonly entries: number
  readonly orphans: number
  /** Memory of its tables, in bytes; given back as entries go. */
  readonly bytes: number
}
