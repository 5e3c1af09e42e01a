// Cubic interpolation without antialiasing, as PyTorch's interpolate has it (a = -0.75, corners not aligned): four neighbours along each axis, those past the
// border being the border itself.

export interface Cubic {
  /** [size, 4]: source positions. */
  at: Int32Array<ArrayBuffer>
  /** [size, 4]. */
  weights: Float32Array<ArrayBuffer>
}

const f32 = Math.fround
const a = -0.75

/** From `from` pixels to `to`, in float32 as PyTorch computes them. */
export function cubicOf(from: number, to: number): Cubic {
  const at = new Int32Array(4 * to)
  const weights = new Float32Array(4 * to)
  const scale = f32(from / to)
  for (let i = 0; i < to; i++) {
    const exact = f32(f32(scale * f32(i + 0.5)) - 0.5)
    const low = Math.floor(exact)
    const past = f32(exact - low)
    for (let tap = 0; tap < 4; tap++) at[4 * i + tap] = Math.min(Math.max(low - 1 + tap, 0), from - 1)
    weights.set([far(f32(past + 1)), near(past), near(f32(1 - past)), far(f32(f32(1 - past) + 1))], 4 * i)
  }
  return { at, weights }
}

/** Keys' cubic up to 1, and from there to 2. */
function near(x: number): number {
  return f32(f32(f32(f32(f32((a + 2) * x) - (a + 3)) * x) * x) + 1)
}

function far(x: number): number {
  return f32(f32(f32(f32(f32(f32(a * x) - 5 * a) * x) + 8 * a) * x) - 4 * a)
}
