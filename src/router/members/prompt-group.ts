// Workers of one block size share one index: a prompt is cut into blocks, hashed and looked up once for all of them.
import { type HashPairs, promptHashes } from '../../lib/block-hash.ts'
import type { KvIndex } from '../index/index.ts'
import { ActivePrefixes } from '../load/active-prefixes.ts'
import { Predictions } from '../load/predictions.ts'
import type { Placement } from '../router.ts'

const noHashes: HashPairs = new Uint32Array(0)

/** A slot (slots.ts), as far as a lookup goes. */
interface Held {
  readonly number: number
  readonly group: PromptGroup
  device: number
  host: number
  disk: number
  predicted: number
  /** Nothing that was sent there is found again. */
  readonly forgets?: boolean
  shared: number
}

export class PromptGroup {
  /** Tokens in a block. */
  readonly blockSize: number
  readonly index: KvIndex
  /** What the running requests hold. */
  readonly active = new ActivePrefixes()
  /** What ranks were sent lately. */
  readonly predictions = new Predictions()
  /** Chained hashes of the prompt looked up last; they are gone with the next prompt: copy what is kept. */
  chain: HashPairs = noHashes
  private depths = new Uint32Array(0)
  private sent = new Uint32Array(0)

  constructor(blockSize: number, index: KvIndex) {
    this.blockSize = blockSize
    this.index = index
  }

  /**
   * Sets the overlap of each slot of this group, and `chain`. `count`: one more than the highest slot number.
   * `now` is for predictions; `alone`: no other group is asked for the same prompt.
   */
  lookUp({ promptIds, lora, cacheSalt }: Placement, slots: readonly Held[], count: number, now: number, alone: boolean): void {
    const { chain } = promptHashes(promptIds, this.blockSize, { lora, cacheSalt })
    // All groups hash into the same memory.
    this.chain = alone ? chain : chain.slice()
    const { device, host, disk } = this.index.match(chain, count)
    if (this.depths.length < count) {
      this.depths = new Uint32Array(2 * count)
      this.sent = new Uint32Array(2 * count)
    }
    const { depths, sent } = this
    this.active.depths(chain, depths)
    this.predictions.depths(chain, now, sent)
    for (let i = 0; i < slots.length; i++) {
      const slot = slots[i]!
      if (slot.group !== this) continue
      const at = slot.number
      slot.shared = slot.forgets ? 0 : depths[at]!
      slot.predicted = slot.forgets ? 0 : Math.max(depths[at]!, sent[at]!)
      slot.device = Math.max(device[at]!, slot.predicted)
      slot.host = Math.max(0, device[at]! + host[at]! - slot.device)
      slot.disk = Math.max(0, device[at]! + host[at]! + disk[at]! - slot.device - slot.host)
    }
  }

  /** No lookup: nothing is known of the prompt. */
  skip(slots: readonly Held[]): void {
    this.chain = noHashes
    for (let i = 0; i < slots.length; i++) {
      const slot = slots[i]!
      if (slot.group === this) slot.shared = slot.predicted = slot.device = slot.host = slot.disk = 0
    }
  }

  /** The slot's worker is gone. */
  forget(slot: number): void {
    this.index.clear(slot)
    this.predictions.forget(slot)
  }
}
