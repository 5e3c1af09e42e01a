// Rows that a mock encoder makes of a picture: noise between -1 and 1 out of the picture's hash and the encoder's domain, nothing else.
import { createHash } from 'node:crypto'
import { bytesPerValue } from '../embeddings.ts'
import type { EmbeddingType } from '../vision.ts'

/** rows × dim values of `type`, little endian. The same for the same `name`, whatever the machine. */
export function mockRows(name: string, rows: number, dim: number, type: EmbeddingType): Uint8Array {
  const count = rows * dim
  const values = new Float32Array(count)
  const seed = createHash('sha256').update(name).digest()
  // xorshift128 (Marsaglia 2003): quick, and its state is a part of the hash.
  let [x, y, z, w] = [seed.readUInt32LE(0) | 1, seed.readUInt32LE(4), seed.readUInt32LE(8), seed.readUInt32LE(12)]
  for (let i = 0; i < count; i++) {
    const t = x ^ (x << 11)
    x = y
    y = z
    z = w
    w = w ^ (w >>> 19) ^ t ^ (t >>> 8)
    // 7 bits of fraction: exact in every type, so that all three types hold the same numbers.
    values[i] = (w >> 24) / 128
  }
  return inType(values, type)
}

function inType(values: Float32Array, type: EmbeddingType): Uint8Array {
  if (type === 'float32') return new Uint8Array(values.buffer)
  const out = new Uint8Array(values.length * bytesPerValue[type])
  if (type === 'float16') new Float16Array(out.buffer).set(values)
  else {
    const bits = new Uint32Array(values.buffer)
    const halves = new Uint16Array(out.buffer)
    for (let i = 0; i < bits.length; i++) halves[i] = bits[i]! >>> 16
  }
  return out
}
