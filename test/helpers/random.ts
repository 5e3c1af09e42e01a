// Random numbers that are the same for the same seed.

/** Whole numbers from 0 up to, not including, `limit` (at most 2^32). */
export function random(seed: number): (limit: number) => number {
  let state = seed | 0
  return (limit) => {
    state = (state + 0x9e37_79b9) | 0
    let x = Math.imul(state ^ (state >>> 16), 0x21f0_aaad)
    x = Math.imul(x ^ (x >>> 15), 0x735a_2d97)
    return Math.floor((((x ^ (x >>> 15)) >>> 0) / 2 ** 32) * limit)
  }
}
