// Seeded numbers for the fixture weights: the same on every machine, so that `--check` can compare files byte by byte.

/** Uniform numbers in [0, 1) from a 32-bit seed (a xorshift-multiply generator over a counter). */
export function uniform(seed: number): () => number {
  let counter = seed >>> 0
  return () => {
    counter = (counter + 0x9e3779b9) >>> 0
    let x = counter
    x = Math.imul(x ^ (x >>> 16), 0x21f0aaad)
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97)
    return ((x ^ (x >>> 15)) >>> 0) / 4294967296
  }
}

/**
 * Normal numbers with mean 0 and the given standard deviation, as the sum of twelve uniforms less six:
 * additions only, because Math.log and Math.cos may differ in the last bit between engines.
 */
export function normal(seed: number, std: number): () => number {
  const next = uniform(seed)
  return () => {
    let sum = -6
    for (let i = 0; i < 12; i++) sum += next()
    return sum * std
  }
}
