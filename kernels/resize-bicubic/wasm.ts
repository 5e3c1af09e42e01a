// resize-bicubic.wat at work: some new rows at a time, both passes inside WebAssembly's memory, so that what lies between them stays in the cache. Any rows
// may be asked for in any order, also by several threads.
import { simd } from '../simd.ts'
import type { Size } from './reference.ts'
import type { Taps } from './taps.ts'
import { resizeBicubicWasm } from './wasm-bytes.ts'

type Rows = (source: number, stride: number, length: number, weights: number, taps: number, out: number, bits: number) => void
type Pixels = (source: number, pixels: number, weights: number, size: number, out: number, bits: number) => void

interface Exports {
  across16: Pixels
  across22: Pixels
  acrossFloat: Pixels
  down16: Rows
  down22: Rows
  downFloat: Rows
}

/** Weights as the module reads them. */
interface Packed {
  /** Of each new pixel or row the first source that has a weight, or one before it: it never falls. */
  first: Int32Array
  /** Most source pixels or rows of one new one, those with weight 0 at the end included. */
  span: number
  /** What the module's loop counts, of each: groups of four taps, pairs of rows, or taps. A picture that shrinks by little has five taps, but nearly all of its rows four. */
  loops: Uint16Array
  words: Int32Array
  /** Where the words of each begin, and the end. */
  starts: Uint32Array
  bits: number
}

/** Everything that is the same for all rows. */
export interface Job {
  rgb: Uint8Array
  from: Size
  to: Size
  downFirst: boolean
  /** Absent: that side stays as it is. */
  x?: Packed
  y?: Packed
}

/** Rows of the source that are worked on at a time have about this many bytes: what a second-level cache holds. */
const bandBytes = 256 << 10
const room = simd<Exports>(resizeBicubicWasm)

export function jobOf(rgb: Uint8Array, from: Size, to: Size, downFirst: boolean, x: Taps | undefined, y: Taps | undefined): Job {
  return { rgb, from, to, downFirst, ...(x && { x: packed(x, 4) }), ...(y && { y: packed(y, 2) }) }
}

const packs = { 2: new WeakMap<Taps, Packed>(), 4: new WeakMap<Taps, Packed>() }

function packed(taps: Taps, group: 2 | 4): Packed {
  const known = packs[group].get(taps) ?? pack(taps, group)
  packs[group].set(taps, known)
  return known
}

/** `group`: weights that the module takes at a time; in pairs, 16 bits each. Weights of 22 bits are split, high halves of a group before low ones. */
function pack({ count, first: all, weights, bits }: Taps, group: 2 | 4): Packed {
  const size = all.length
  if (bits === 0) {
    // As float64, which fused sums are made with.
    const words = new Int32Array(Float64Array.from(weights).buffer)
    const starts = Uint32Array.from({ length: size + 1 }, (_, i) => 2 * count * i)
    return { first: all, span: count, loops: new Uint16Array(size).fill(count), words, starts, bits }
  }
  const first = all.slice()
  const loops = new Uint16Array(size)
  for (let i = size - 1; i >= 0; i--) {
    const { lead, end } = weightyOf(weights, i * count, count)
    // Where a new row lies on a source row, a weight is 0 that the next new row has again.
    first[i] = Math.min(all[i]! + lead, first[i + 1] ?? all[i]! + lead)
    loops[i] = Math.ceil((all[i]! + end - first[i]!) / group)
  }
  const halvesOfTap = bits === 22 ? 2 : 1
  const starts = new Uint32Array(size + 1)
  for (let i = 0; i < size; i++) starts[i + 1] = starts[i]! + (loops[i]! * group * halvesOfTap) / 2
  const halves = new Int16Array(2 * starts[size]!)
  for (let i = 0; i < size; i++) {
    const skipped = first[i]! - all[i]!
    for (let tap = 0, taps = Math.min(count - skipped, loops[i]! * group); tap < taps; tap++) {
      const weight = weights[i * count + skipped + tap]!
      const at = 2 * starts[i]! + halvesOfTap * (tap - (tap % group)) + (tap % group)
      halves[at] = halvesOfTap === 2 ? weight >> 11 : weight
      if (halvesOfTap === 2) halves[at + group] = weight & 2047
    }
  }
  return { first, span: Math.ceil(count / group) * group, loops, words: new Int32Array(halves.buffer), starts, bits }
}

/** Where the weights other than 0 stand among `count` from `start`. */
function weightyOf(weights: Taps['weights'], start: number, count: number): { lead: number; end: number } {
  let [lead, end] = [0, count]
  while (end > 1 && weights[start + end - 1] === 0) end--
  while (lead < end - 1 && weights[start + lead] === 0) lead++
  return { lead, end }
}

/** New rows [from, to) into `out`: [job.to.height, job.to.width, 3]. */
export function resizeRows(job: Job, out: Uint8Array, from: number, to: number): void {
  const { y } = job
  const sourceStride = 3 * job.from.width
  const atATime = Math.max(1, Math.floor(bandBytes / sourceStride))
  for (let row = from; row < to; ) {
    let end = row + 1
    // As many as the band's source rows make; more where one new row alone needs more than that, as rows are shared.
    while (end < to && sourceEnd(y, end) - sourceStart(y, row) <= Math.max(atATime, 8 * (y?.span ?? 1))) end++
    band(job, out, row, end)
    row = end
  }
}

const sourceStart = (y: Packed | undefined, row: number): number => (y === undefined ? row : y.first[row]!)
const sourceEnd = (y: Packed | undefined, row: number): number => (y === undefined ? row + 1 : y.first[row]! + y.span)

function band(job: Job, out: Uint8Array, from: number, to: number): void {
  const { rgb, x, y } = job
  const low = sourceStart(y, from)
  // Taps of weight 0 may lie past the last row: there is room, but nothing to copy.
  const rows = sourceEnd(y, to - 1) - low
  const copied = Math.min(rows, job.from.height - low)
  const stride = 3 * job.from.width
  const outStride = 3 * job.to.width
  const targetStride = x === undefined ? padded(outStride) : outStride
  const float = (y ?? x)!.bits === 0
  const between = x !== undefined && y !== undefined
  const betweenRows = job.downFirst ? 1 : rows
  const betweenStride = padded((job.downFirst ? stride : outStride) * (float ? 4 : 1))
  // Sources that are looked at as columns come a strip of columns at a time, so that tall pictures need no large memory.
  const strip = job.downFirst || x === undefined ? Math.min(stride, Math.max(64, Math.floor((16 * bandBytes) / rows / 48) * 48)) : stride
  const sourceRows = strip < stride || job.downFirst || x === undefined ? rows : Math.max(1, Math.floor(bandBytes / stride))
  const places = layout(
    [x && 2 * x.first.length, x?.words.length, y && y.starts[to]! - y.starts[from]!]
      .map((words) => 4 * (words ?? 0))
      .concat([
        sourceRows * strip + 64,
        between ? (job.downFirst ? to - from : betweenRows) * betweenStride + 64 : 0,
        (to - from) * targetStride + 64,
      ]),
  )
  const [pixels, xWeights, yWeights, source, middle, target, size] = places as [number, number, number, number, number, number, number]
  const { run, bytes, words } = room(size)
  if (x !== undefined) {
    for (let i = 0, at = pixels / 4; i < x.first.length; i++) {
      words[at++] = 3 * x.first[i]!
      words[at++] = x.loops[i]!
    }
    words.set(x.words, xWeights / 4)
  }
  if (y !== undefined) words.set(y.words.subarray(y.starts[from], y.starts[to]), yWeights / 4)
  const across = (at: number, target: number): void => {
    const pass = float ? run.acrossFloat : x!.bits === 22 ? run.across22 : run.across16
    pass(at, pixels, xWeights, job.to.width, target, x!.bits)
  }
  const down = (at: number, rowStride: number, length: number, row: number, target: number): void => {
    const pass = float ? run.downFloat : y!.bits === 22 ? run.down22 : run.down16
    const weights = yWeights + 4 * (y!.starts[row]! - y!.starts[from]!)
    pass(at + (y!.first[row]! - low) * rowStride, rowStride, length, weights, y!.loops[row]!, target, y!.bits)
  }
  if (x !== undefined && !job.downFirst) {
    for (let start = 0; start < copied; start += sourceRows) {
      const end = Math.min(start + sourceRows, copied)
      bytes.set(rgb.subarray((low + start) * stride, (low + end) * stride), source)
      for (let row = start; row < end; row++)
        across(source + (row - start) * stride, between ? middle + row * betweenStride : target + row * outStride)
    }
    if (between) for (let row = from; row < to; row++) down(middle, betweenStride, outStride, row, target + (row - from) * outStride)
  } else {
    for (let left = 0; left < stride; left += strip) {
      const length = Math.min(strip, stride - left)
      for (let row = 0; row < copied; row++) {
        const at = (low + row) * stride + left
        bytes.set(rgb.subarray(at, at + length), source + row * strip)
      }
      for (let row = from; row < to; row++) {
        down(source, strip, length, row, (between ? middle + (row - from) * betweenStride : target + (row - from) * targetStride) + left)
      }
    }
    if (between) for (let row = from; row < to; row++) across(middle + (row - from) * betweenStride, target + (row - from) * outStride)
  }
  if (targetStride === outStride) out.set(bytes.subarray(target, target + (to - from) * outStride), from * outStride)
  else
    for (let row = from; row < to; row++)
      out.set(bytes.subarray(target + (row - from) * targetStride).subarray(0, outStride), row * outStride)
}

const padded = (size: number): number => Math.ceil(size / 16) * 16

/** Places of areas of these sizes one after another, and the end. */
function layout(sizes: readonly number[]): number[] {
  const places = [0]
  for (const size of sizes) places.push(places.at(-1)! + padded(size))
  return places
}
