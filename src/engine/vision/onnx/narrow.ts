// float32 rows in the type that the language model reads, rounded to nearest, ties to even, as PyTorch's `.to` does.
import { bytesPerValue } from '../embeddings.ts'
import type { EmbeddingType } from '../vision.ts'

/** Little endian. float32 shares the memory of `values`. */
export function narrow(values: Float32Array, type: EmbeddingType): Uint8Array {
  if (type === 'float32') return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  const out = new Uint8Array(values.length * bytesPerValue[type])
  if (type === 'float16') new Float16Array(out.buffer).set(values)
  else roundToBfloat16(values, new Uint16Array(out.buffer))
  return out
}

/** The upper half of each number; NaN stays NaN, what is too large becomes infinite. */
function roundToBfloat16(values: Float32Array, out: Uint16Array): void {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  for (let i = 0; i < bits.length; i++) {
    const b = bits[i]!
    // Adding the half could carry a NaN's payload into the sign.
    out[i] = (b & 0x7fffffff) > 0x7f800000 ? (b >>> 16) | 0x40 : (b + 0x7fff + ((b >>> 16) & 1)) >>> 16
  }
}
