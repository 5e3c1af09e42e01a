// What a byte of each channel becomes, as a table: 256 entries a channel, made with the roundings of the processor that is followed. A table makes every
// way of computing exact.

export interface Norm {
  mean: readonly [number, number, number]
  std: readonly [number, number, number]
  /** What bytes are multiplied by; 1/255 nearly always. */
  rescale: number
}

/** `pil`: numpy's float32 steps; `torch`: mean and deviation are scaled instead of the byte; `torch_bf16`: every step in bfloat16 (Llama 4);
 *  `divided`: the byte is divided first (SGLang's InternVL). */
export type NormRounding = 'pil' | 'torch' | 'torch_bf16' | 'divided'

const f32 = Math.fround

/** Entries of the table alone. */
export const tableSize = 768

/** [3, 256]. Of `torch` the three means and three deviations stand behind it: (byte - mean) / deviation, each step in float32, is the same for whoever would rather reckon than look up. */
export function levelsOf({ mean, std, rescale }: Norm, rounding: NormRounding): Float32Array<ArrayBuffer> {
  const levels = new Float32Array(rounding === 'torch' ? tableSize + 6 : tableSize)
  for (let channel = 0; channel < 3; channel++) {
    const [m, s] = [f32(mean[channel]!), f32(std[channel]!)]
    // ATen multiplies a float32 tensor by a number in float32.
    const scale = f32(1 / rescale)
    const [scaledMean, scaledStd] = [f32(m * scale), f32(s * scale)]
    const ways: Record<NormRounding, (byte: number) => number> = {
      pil: (byte) => f32(f32(f32(byte * rescale) - m) / s),
      torch: (byte) => f32(f32(byte - scaledMean) / scaledStd),
      torch_bf16: (byte) => toBf16(toBf16(toBf16(byte * f32(rescale)) - toBf16(m)) / toBf16(s)),
      divided: (byte) => f32(f32(f32(byte / scale) - m) / s),
    }
    for (let byte = 0; byte < 256; byte++) {
      levels[256 * channel + byte] = ways[rounding](byte)
    }
    // Past the end of a shorter table nothing is written.
    levels[tableSize + channel] = scaledMean
    levels[tableSize + 3 + channel] = scaledStd
  }
  return levels
}

const word = new Float32Array(1)
const bits = new Uint32Array(word.buffer)

/** The nearest bfloat16, halves to even. For finite numbers. */
export function toBf16(value: number): number {
  word[0] = value
  bits[0] = (bits[0]! + 0x7fff + ((bits[0]! >>> 16) & 1)) & 0xffff0000
  return word[0]
}
