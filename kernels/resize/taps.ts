// Which pixels make a new one along one axis, and with what weights: separable filters, widened when a picture shrinks (antialiased), as Pillow has them
// since 3.4 (Resample.c): weights are rounded to 22 bits, so that all sums are whole numbers.

export type ResizeFilter = 'bilinear' | 'bicubic' | 'lanczos'

export interface Taps {
  /** Most source pixels of one new pixel. */
  count: number
  /** First source pixel of each new one. */
  first: Int32Array<ArrayBuffer>
  /** [size, count], 2^22 is one; 0 where a new pixel needs fewer. */
  weights: Int32Array<ArrayBuffer>
}

export const weightBits = 22

interface Filter {
  support: number
  at(x: number): number
}

const filters: Record<ResizeFilter, Filter> = {
  bilinear: { support: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { support: 2, at: cubic },
  lanczos: { support: 3, at: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
}

/** Keys' cubic with a = -0.5. */
function cubic(signed: number): number {
  const x = Math.abs(signed)
  const a = -0.5
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI)
}

/** From `from` pixels to `to`. */
export function tapsOf(from: number, to: number, name: ResizeFilter): Taps {
  const filter = filters[name]
  const scale = from / to
  const stretch = Math.max(scale, 1)
  const support = filter.support * stretch
  const count = Math.ceil(support) * 2 + 1
  const first = new Int32Array(to)
  const weights = new Int32Array(to * count)
  for (let i = 0; i < to; i++) {
    const center = (i + 0.5) * scale
    const low = Math.max(Math.trunc(center - support + 0.5), 0)
    const high = Math.min(Math.trunc(center + support + 0.5), from)
    const exact = Array.from({ length: high - low }, (_, x) => filter.at((x + low - center + 0.5) * (1 / stretch)))
    const sum = exact.reduce((a, b) => a + b, 0)
    first[i] = low
    for (const [x, weight] of exact.entries()) weights[i * count + x] = roundAway((weight / (sum || 1)) * 2 ** weightBits)
  }
  return { count, first, weights }
}

function roundAway(x: number): number {
  return Math.trunc(x < 0 ? x - 0.5 : x + 0.5)
}
