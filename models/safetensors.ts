// Writes the safetensors container: u64 header length, JSON header, raw little-endian tensors.

export interface Tensor {
  name: string
  shape: number[]
  /** Row-major; stored as bf16. */
  values: Float32Array
}

/** Float32 to bf16, rounded to nearest, ties to even. */
function bf16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  return Uint16Array.from(bits, (b) => (b + 0x7fff + ((b >>> 16) & 1)) >>> 16)
}

/** One safetensors file with every tensor as BF16, in the order given. */
export function safetensors(tensors: readonly Tensor[]): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } }
  let end = 0
  for (const { name, shape, values } of tensors) {
    header[name] = { dtype: 'BF16', shape, data_offsets: [end, end + values.length * 2] }
    end += values.length * 2
  }
  let json = JSON.stringify(header)
  json += ' '.repeat((8 - (json.length % 8)) % 8) // the data starts on an 8-byte border
  const file = new Uint8Array(8 + json.length + end)
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true)
  file.set(new TextEncoder().encode(json), 8)
  let at = 8 + json.length
  for (const { values } of tensors) {
    file.set(new Uint8Array(bf16(values).buffer), at)
    at += values.length * 2
  }
  return file
}
