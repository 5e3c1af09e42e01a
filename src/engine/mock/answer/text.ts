// What the mock says next: a function of all ids so far and the seed, nothing else, so that an answer continued elsewhere stays equal.
// One 32-bit rolling state per sequence; constant work per token, no BigInt.

/** The state before the first id. Seeds may be any finite number. */
export function seedHash(engineSeed: number, samplingSeed: number): number {
  return roll(roll(0x2545f491, fold(engineSeed)), fold(samplingSeed))
}

/** The state after one more id. */
export function roll(hash: number, id: number): number {
  const mixed = Math.imul(hash ^ id, 0x9e3779b1)
  return mixed ^ (mixed >>> 15)
}

/** The state after `ids[start..end)`. */
export function rollAll(hash: number, ids: ArrayLike<number>, start: number, end: number): number {
  let state = hash
  for (let i = start; i < end; i++) state = roll(state, ids[i]!)
  return state
}

/** An unsigned 32-bit draw from a state; `salt` gives independent draws from the same state. */
export function draw(hash: number, salt: number): number {
  let x = Math.imul(hash ^ (hash >>> 16) ^ Math.imul(salt, 0x7feb352d), 0x85ebca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
  return (x ^ (x >>> 16)) >>> 0
}

/** How many text tokens the mock produces by itself before EOS, from the state after the original prompt: 64 to 127. */
export function naturalLength(promptHash: number): number {
  return 64 + (draw(promptHash, 1) % 64)
}

/** What a request wants of its ids beyond the plain draw. */
export interface Wishes {
  /** id → bias; ±100 decide, anything between shifts the odds. */
  bias: Map<number, number> | undefined
  /** Ids that must not come now (EOS and stop ids before `min_new_tokens`). */
  banned: ReadonlySet<number> | undefined
}

const baseScore = 10

/**
 * The next id under a logit bias. The plain draw has a score of 10, every biased id a score of 0 to 10 plus its bias, and the best
 * one wins: +100 is always chosen, -100 only if nothing else is left.
 */
export function drawWith(hash: number, textIds: Int32Array, wishes: Wishes): number {
  const { bias, banned } = wishes
  const first = draw(hash, 0) % textIds.length
  let best = -1
  let bestScore = Number.NEGATIVE_INFINITY
  for (let i = 0; i < textIds.length; i++) {
    const id = textIds[(first + i) % textIds.length]!
    if (banned?.has(id)) continue
    const pull = bias?.get(id) ?? 0
    if (baseScore + pull > bestScore) {
      best = id
      bestScore = baseScore + pull
    }
    if (pull >= 0) break
  }
  for (const [id, pull] of bias ?? []) {
    if (banned?.has(id)) continue
    const score = (draw(hash, id + 2) / 0x1_0000_0000) * baseScore + pull
    if (score > bestScore) {
      best = id
      bestScore = score
    }
  }
  return best === -1 ? textIds[first]! : best
}

function fold(seed: number): number {
  return Math.imul(Math.floor(seed / 0x1_0000_0000), 0x9e3779b1) ^ seed
}
