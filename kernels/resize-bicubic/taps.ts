// Which pixels make a new one along one axis, and with what weights, in the three ways that vision models' processors have: Pillow's (`pil`), torchvision's
// for bytes on the CPU (`tv_u8`), and torchvision's in float32, as on a GPU (`tv_f32`). All three widen the filter when a picture shrinks (antialias).

export type ResizeBackend = 'pil' | 'tv_u8' | 'tv_f32'
export type VisionFilter = 'bilinear' | 'bicubic'

export interface Taps {
  /** Most source pixels of one new pixel. */
  count: number
  /** First source pixel of each new one; `first + count` is never past the end. */
  first: Int32Array<ArrayBuffer>
  /** [size, count]; 0 where a new pixel needs fewer. Whole numbers of `bits` bits, or with `tv_f32` shares of one. */
  weights: Int32Array<ArrayBuffer> | Float32Array<ArrayBuffer>
  /** What one is: 2^bits; 0 with `tv_f32`. */
  bits: number
}

interface Filter {
  support: number
  at(x: number): number
  /** The same in float32, with the products that compilers fuse into sums. */
  atFloat(x: number): number
}

const f32 = Math.fround
const filters: Record<VisionFilter, Filter> = {
  bilinear: { support: 1, at: (x) => Math.max(0, 1 - Math.abs(x)), atFloat: (x) => Math.max(0, f32(1 - Math.abs(x))) },
  bicubic: { support: 2, at: cubic, atFloat: cubicFloat },
}

/** Keys' cubic with a = -0.5, in the order of operations of Pillow and ATen. */
function cubic(signed: number): number {
  const x = Math.abs(signed)
  const a = -0.5
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0
}

function cubicFloat(signed: number): number {
  const x = Math.abs(signed)
  if (x < 1) return f32(f32(f32(1.5 * x - 2.5) * x) * x + 1)
  return x < 2 ? f32(f32(f32(f32(x - 5) * x + 8) * x - 4) * -0.5) : 0
}

/** The last ones: frames of a clip, and pictures of one camera, have the same sizes. */
const kept = new Map<string, Taps>()
const mostKept = 32

/** From `from` pixels to `to`. Shared: not to be changed. */
export function tapsOf(from: number, to: number, filter: VisionFilter, backend: ResizeBackend): Taps {
  const key = `${from} ${to} ${filter} ${backend}`
  const known = kept.get(key) ?? makeTaps(from, to, filter, backend)
  kept.delete(key)
  kept.set(key, known)
  if (kept.size > mostKept) kept.delete(kept.keys().next().value!)
  return known
}

function makeTaps(from: number, to: number, filter: VisionFilter, backend: ResizeBackend): Taps {
  const { low, exact } = backend === 'tv_f32' ? floatTaps(from, to, filter) : exactTaps(from, to, filter)
  const count = exact.reduce((most, list) => Math.max(most, list.length), 1)
  const first = Int32Array.from(low, (at) => Math.min(at, from - count))
  const bits = backend === 'tv_f32' ? 0 : backend === 'pil' ? 22 : bitsFor16(exact)
  const weights = bits === 0 ? new Float32Array(to * count) : new Int32Array(to * count)
  for (const [i, list] of exact.entries()) {
    const at = i * count + low[i]! - first[i]!
    for (const [tap, weight] of list.entries()) weights[at + tap] = bits === 0 ? weight : roundAway(weight * 2 ** bits)
  }
  return { count, first, weights, bits }
}

function exactTaps(from: number, to: number, name: VisionFilter): { low: number[]; exact: number[][] } {
  const filter = filters[name]
  const scale = from / to
  const stretch = Math.max(scale, 1)
  const support = filter.support * stretch
  const low: number[] = []
  const exact: number[][] = []
  for (let i = 0; i < to; i++) {
    const center = (i + 0.5) * scale
    const start = Math.max(Math.trunc(center - support + 0.5), 0)
    const end = Math.min(Math.trunc(center + support + 0.5), from)
    const list: number[] = []
    let sum = 0
    for (let x = start; x < end; x++) {
      const weight = filter.at((x - center + 0.5) * (1 / stretch))
      list.push(weight)
      sum += weight
    }
    low.push(start)
    exact.push(sum === 0 ? list : list.map((weight) => weight / sum))
  }
  return { low, exact }
}

/** The same as ATen computes it for float32 tensors. */
function floatTaps(from: number, to: number, name: VisionFilter): { low: number[]; exact: number[][] } {
  const filter = filters[name]
  const scale = f32(from / to)
  const support = scale >= 1 ? f32(filter.support * scale) : filter.support
  const inverse = scale >= 1 ? f32(1 / scale) : 1
  const low: number[] = []
  const exact: number[][] = []
  for (let i = 0; i < to; i++) {
    const center = f32(scale * (i + 0.5))
    const start = Math.max(Math.trunc(center - support + 0.5), 0)
    const end = Math.min(Math.trunc(center + support + 0.5), from)
    const list: number[] = []
    let sum = 0
    for (let x = start; x < end; x++) {
      const weight = filter.atFloat(f32((f32(x - center) + 0.5) * inverse))
      list.push(weight)
      sum = f32(sum + weight)
    }
    low.push(start)
    exact.push(sum === 0 ? list : list.map((weight) => f32(weight / sum)))
  }
  return { low, exact }
}

/** The most bits with which the largest weight of an axis still fits 16 bits with its sign. */
function bitsFor16(exact: readonly (readonly number[])[]): number {
  let most = 0
  for (const list of exact) for (const weight of list) most = Math.max(most, weight)
  let bits = 0
  while (bits < 22 && Math.trunc(0.5 + most * 2 ** (bits + 1)) < 1 << 15) bits++
  return bits
}

function roundAway(x: number): number {
  return Math.trunc(x < 0 ? x - 0.5 : x + 0.5)
}

/** Pillow 13 shrinks the height first where that leaves less to do; torchvision and older ones never. */
export function downFirst(from: { width: number; height: number }, to: { width: number; height: number }, backend: ResizeBackend): boolean {
  const fewer = from.height - to.height
  return backend === 'pil' && fewer > 0 && fewer > 2 * (from.width - to.width)
}
