// Float planes to bytes, as SGLang 0.5 does it: (s * 255).clamp(0, 255).to(uint8), which cuts off, it does not round. All in 32-bit floats.
// Signed samples are first brought to [0, 1] by its decoding stage: (x / 2 + 0.5).clamp(0, 1).

/** `unit`: samples are in [0, 1]; `signed`: in [-1, 1]. What is outside is clamped, NaN is 0. */
export type SampleRange = 'unit' | 'signed'

/** `planes`: [frames, 3, height, width]. Returns [frames, height, width, 3]. */
export function floatToRgbPlain(planes: Float32Array, width: number, height: number, range: SampleRange): Uint8Array {
  const pixels = width * height
  const out = new Uint8Array(planes.length)
  for (let frame = 0; frame < planes.length; frame += 3 * pixels) {
    for (let channel = 0; channel < 3; channel++) {
      for (let pixel = 0; pixel < pixels; pixel++) {
        out[frame + 3 * pixel + channel] = toByte(planes[frame + channel * pixels + pixel]!, range)
      }
    }
  }
  return out
}

function toByte(sample: number, range: SampleRange): number {
  const unit = range === 'unit' ? sample : Math.min(Math.max(Math.fround(Math.fround(sample / 2) + 0.5), 0), 1)
  const scaled = Math.fround(unit * 255)
  return Number.isNaN(scaled) ? 0 : Math.trunc(Math.min(Math.max(scaled, 0), 255))
}
