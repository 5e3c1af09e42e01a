// Another size as vision models' processors make it: two passes of a separable filter. `pil` and `tv_u8` round to bytes after each pass and have whole
// weights, so there is one right answer; `tv_f32` keeps float32 sums between the passes and rounds once, half to even. Its sums are chains of fused
// multiply-adds, as compilers make them of ATen's loops; a float64 in between is as good, as the product of two float32 is exact in it.
import { downFirst, type ResizeBackend, type Taps, tapsOf, type VisionFilter } from './taps.ts'

export interface Size {
  width: number
  height: number
}

/** `rgb`: [from.height, from.width, 3]. Returns [to.height, to.width, 3]. */
export function resizeVisionPlain(rgb: Uint8Array, from: Size, to: Size, filter: VisionFilter, backend: ResizeBackend): Uint8Array {
  let now: Picture = { values: [...rgb], ...from }
  const across = () => {
    if (now.width !== to.width) now = pass(now, tapsOf(now.width, to.width, filter, backend), to.width, 'x')
  }
  const down = () => {
    if (now.height !== to.height) now = pass(now, tapsOf(now.height, to.height, filter, backend), to.height, 'y')
  }
  for (const step of downFirst(from, to, backend) ? [down, across] : [across, down]) step()
  return Uint8Array.from(now.values, toByte)
}

interface Picture extends Size {
  values: number[]
}

function pass({ values, width, height }: Picture, taps: Taps, size: number, axis: 'x' | 'y'): Picture {
  const to = axis === 'x' ? { width: size, height } : { width, height: size }
  const out: number[] = []
  for (let y = 0; y < to.height; y++) {
    for (let x = 0; x < to.width; x++) {
      for (let channel = 0; channel < 3; channel++) {
        const at = (tap: number) => (axis === 'x' ? y * width + taps.first[x]! + tap : (taps.first[y]! + tap) * width + x)
        out.push(weigh(taps, axis === 'x' ? x : y, (tap) => values[3 * at(tap) + channel]!))
      }
    }
  }
  return { values: out, ...to }
}

function weigh({ count, weights, bits }: Taps, i: number, value: (tap: number) => number): number {
  let sum = 0
  if (bits === 0) {
    for (let tap = 0; tap < count; tap++) sum = Math.fround(sum + weights[i * count + tap]! * value(tap))
    return sum
  }
  for (let tap = 0; tap < count; tap++) sum += weights[i * count + tap]! * value(tap)
  return Math.min(Math.max(Math.floor((sum + 2 ** (bits - 1)) / 2 ** bits), 0), 255)
}

/** Cut to 0..255; halves go to the even neighbour. */
function toByte(value: number): number {
  const low = Math.floor(value)
  const rest = value - low
  const rounded = rest > 0.5 || (rest === 0.5 && low % 2 === 1) ? low + 1 : low
  return Math.min(Math.max(rounded, 0), 255)
}
