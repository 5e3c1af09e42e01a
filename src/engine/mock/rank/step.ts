// One rank of the mock engine as a pure machine: `begin` decides the next step and says how long it takes, `complete` does it.
// No timers, no sinks, no randomness. Prefill goes before decode, as in SGLang; a rank whose KV is full sends its youngest row back to the queue.
import { type HashPairs, localHashes } from '../../../lib/block-hash.ts'
import type { KvCache } from './kv.ts'
import type { Sequence } from './sequence.ts'
import { decodeMs, prefillMs, type Timing } from './timing.ts'

/** Uncached prompt tokens that one prefill step takes on; a single longer prompt is taken alone. */
const maxPrefillTokens = 8192

export interface Rank {
  readonly index: number
  readonly kv: KvCache
  readonly timing: Timing
  readonly maxRunning: number
  /** In order of admission. */
  waiting: Sequence[]
  /** Admitted by the step that is under way. */
  prefilling: Sequence[]
  running: Sequence[]
  step: 'idle' | 'prefill' | 'decode'
  /** Rows sent back to the queue because the KV was full, so far. */
  retractions: number
  promptTokens: number
  cachedTokens: number
  producedTokens: number
}

/** What one step produced; reused from step to step. Row i got `ids[i]`; -1: it ended without a token. */
export interface Frame {
  readonly ids: Int32Array
  readonly rows: Sequence[]
  count: number
}

export function makeRank(index: number, kv: KvCache, timing: Timing, maxRunning: number): Rank {
  return {
    index,
    kv,
    timing,
    maxRunning,
    waiting: [],
    prefilling: [],
    running: [],
    step: 'idle',
    retractions: 0,
    promptTokens: 0,
    cachedTokens: 0,
    producedTokens: 0,
  }
}

export function makeFrame(maxRunning: number): Frame {
  return { ids: new Int32Array(maxRunning), rows: [], count: 0 }
}

/** Queues a sequence: behind everything of its priority, before everything of a lower one. */
export function enqueue(rank: Rank, sequence: Sequence): void {
  const priority = sequence.plan.request.priority ?? 0
  let at = rank.waiting.length
  while (at > 0 && (rank.waiting[at - 1]!.plan.request.priority ?? 0) < priority) at--
  if (at === rank.waiting.length) rank.waiting.push(sequence)
  else rank.waiting.splice(at, 0, sequence)
}

/** Chooses the next step. Returns its length in simulated milliseconds; 0: nothing to do. */
export function begin(rank: Rank): number {
  const uncached = admit(rank)
  if (rank.prefilling.length > 0) {
    rank.step = 'prefill'
    // Only KV that came from elsewhere: no step is needed for it.
    return rank.prefilling.every((sequence) => sequence.arrived) ? 0 : prefillMs(rank.timing, uncached)
  }
  reserve(rank)
  if (rank.running.length > 0) {
    rank.step = 'decode'
    return decodeMs(rank.timing, contextTokens(rank) / (rank.kv.capacity * rank.kv.blockSize))
  }
  rank.step = 'idle'
  return 0
}

function contextTokens(rank: Rank): number {
  let tokens = 0
  for (const row of rank.running) tokens += row.length
  return tokens
}

/** Does the step that `begin` chose: one token for each of its rows. Ended rows have left the rank and their KV when it returns. */
export function complete(rank: Rank, frame: Frame): void {
  frame.count = 0
  if (rank.step === 'prefill') {
    const rows = rank.prefilling
    rank.prefilling = []
    for (const row of rows) {
      keyBlocks(rank.kv, row, row.length)
      if (row.plan.limit === 0) {
        row.finish = { kind: 'length' }
        frame.ids[frame.count] = -1
        frame.rows[frame.count++] = row
        row.left = true
        free(rank.kv, row)
      } else if (produce(rank, row, frame)) rank.running.push(row)
    }
  } else if (rank.step === 'decode') {
    const rows = rank.running
    let kept = 0
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i]!
      row.room--
      if (produce(rank, row, frame)) rows[kept++] = row
    }
    rows.length = kept
  }
  rank.step = 'idle'
}

/** Takes an aborted sequence out, wherever it is. False when it is not here. */
export function remove(rank: Rank, sequence: Sequence): boolean {
  if (sequence.left) return false
  for (const list of [rank.running, rank.waiting, rank.prefilling]) {
    const at = list.indexOf(sequence)
    if (at === -1) continue
    list.splice(at, 1)
    if (list !== rank.waiting) release(rank, sequence)
    return true
  }
  return false
}

function produce(rank: Rank, row: Sequence, frame: Frame): boolean {
  frame.ids[frame.count] = row.advance()
  frame.rows[frame.count++] = row
  rank.producedTokens++
  if (row.finish === undefined) return true
  row.left = true
  release(rank, row)
  return false
}

/** Moves sequences from the queue into the next prefill; returns how many tokens it has to compute. */
function admit(rank: Rank): number {
  let uncached = 0
  let taken = 0
  while (taken < rank.waiting.length && rank.running.length + rank.prefilling.length < rank.maxRunning) {
    const sequence = rank.waiting[taken]!
    const cost = place(rank, sequence, uncached)
    if (cost === undefined) break
    uncached += cost
    taken++
    rank.prefilling.push(sequence)
  }
  if (taken > 0) rank.waiting.splice(0, taken)
  return uncached
}

/** Holds blocks for a sequence's tokens; returns the uncached ones, or undefined when it does not fit now. */
function place(rank: Rank, sequence: Sequence, already: number): number | undefined {
  const { kv } = rank
  const { blockSize } = kv
  const { length } = sequence
  const keys = prefixKeys(sequence, blockSize)
  const found = kv.match(keys, keys.length)
  const uncached = length - found.blocks * blockSize
  if (!sequence.arrived && already > 0 && already + uncached > maxPrefillTokens) return undefined
  const wanted = Math.ceil(length / blockSize) - found.blocks
  const others = rank.running.length + rank.prefilling.length
  // Each other row keeps one block to grow into, so that a newcomer is not sent back at once.
  if (kv.available() - found.unheld < wanted + others) return undefined
  for (let i = 0; i < found.blocks; i++) sequence.blocks.push(kv.hold(keys[i]!))
  for (let i = 0; i < wanted; i++) sequence.blocks.push(kv.allocate())
  sequence.room = sequence.blocks.length * blockSize - length
  sequence.keyedBlocks = found.blocks
  if (!sequence.admitted) {
    sequence.admitted = true
    if (!sequence.arrived) sequence.cachedTokens = found.blocks * blockSize
    rank.promptTokens += length
    rank.cachedTokens += sequence.cachedTokens
  }
  return sequence.arrived ? 0 : uncached
}

/** Keys of the full blocks that may come from the cache: at least one token is always computed, and all whose logprobs are wanted. */
function prefixKeys(sequence: Sequence, blockSize: number): number[] {
  const start = sequence.plan.request.logprobs?.promptStart ?? -1
  const usable = Math.min(sequence.length - 1, start >= 0 && sequence.produced === 0 ? start : Number.POSITIVE_INFINITY)
  const blocks = Math.floor(usable / blockSize)
  while (sequence.keys.length < blocks) nextKey(sequence, new Int32Array(blockSize))
  return sequence.keys.length === blocks ? sequence.keys : sequence.keys.slice(0, blocks)
}

/** Gives keys to the full blocks of the first `tokens` tokens, so that later prompts find them. */
function keyBlocks(kv: KvCache, sequence: Sequence, tokens: number): void {
  const { keys, blocks, keyedBlocks } = sequence
  const end = Math.floor(tokens / kv.blockSize)
  if (keyedBlocks >= end) return
  const local = kv.recording ? contents(sequence, keyedBlocks, end, kv.blockSize) : undefined
  const ids = new Int32Array(kv.blockSize)
  for (let i = keyedBlocks; i < end; i++) {
    if (i >= keys.length) nextKey(sequence, ids)
    blocks[i] = kv.publish(blocks[i]!, keys[i]!, i === 0 ? 0 : keys[i - 1]!, local, i - keyedBlocks)
  }
  sequence.keyedBlocks = end
}

/** Content hashes of blocks `from` to `end - 1`. What an extra key keeps apart has none: an index by content would mix it with others. */
function contents(sequence: Sequence, from: number, end: number, blockSize: number): HashPairs | undefined {
  const { request } = sequence.plan
  if (request.extraKey) return undefined
  const ids = new Uint32Array((end - from) * blockSize)
  for (let i = 0; i < ids.length; i++) ids[i] = sequence.idAt(from * blockSize + i)
  return localHashes(ids, blockSize, request)
}

function nextKey(sequence: Sequence, ids: Int32Array): void {
  readBlock(sequence, sequence.keys.length, ids)
  sequence.chain.add(ids)
  sequence.keys.push(sequence.chain.key())
}

function readBlock(sequence: Sequence, block: number, ids: Int32Array): void {
  const start = block * ids.length
  for (let i = 0; i < ids.length; i++) ids[i] = sequence.idAt(start + i)
}

/** Makes sure that every running row has room for one more token; sends the youngest back when there is none. */
function reserve(rank: Rank): void {
  for (let i = 0; i < rank.running.length; i++) {
    const row = rank.running[i]!
    while (row.room === 0) {
      const block = rank.kv.allocate()
      if (block !== -1) {
        row.blocks.push(block)
        row.room = rank.kv.blockSize
        break
      }
      const youngest = rank.running.pop()!
      release(rank, youngest)
      rank.waiting.unshift(youngest)
      rank.retractions++
      if (youngest === row) break
    }
  }
}

/** Leaves what was computed in the cache and lets the blocks go. The newest token was never fed back, so it has no KV. */
function release(rank: Rank, sequence: Sequence): void {
  if (sequence.produced > 0) keyBlocks(rank.kv, sequence, sequence.length - 1)
  free(rank.kv, sequence)
}

function free(kv: KvCache, sequence: Sequence): void {
  for (let i = sequence.blocks.length - 1; i >= 0; i--) kv.release(sequence.blocks[i]!)
  sequence.blocks.length = 0
  sequence.room = 0
  sequence.keyedBlocks = 0
}
