// A growing list of token ids; one is reused for many encodes so that the hot path allocates only the answer.

export interface IdBuffer {
  ids: Uint32Array
  length: number
}

export function idBuffer(capacity = 1024): IdBuffer {
  return { ids: new Uint32Array(capacity), length: 0 }
}

/** Makes room for `more` ids after the current ones. */
export function reserve(buffer: IdBuffer, more: number): void {
  const wanted = buffer.length + more
  if (wanted <= buffer.ids.length) return
  const grown = new Uint32Array(Math.max(wanted, buffer.ids.length * 2))
  grown.set(buffer.ids.subarray(0, buffer.length))
  buffer.ids = grown
}

export function append(buffer: IdBuffer, ids: ArrayLike<number>): void {
  const count = ids.length
  reserve(buffer, count)
  if (count > 32) buffer.ids.set(ids, buffer.length)
  else for (let i = 0; i < count; i++) buffer.ids[buffer.length + i] = ids[i]!
  buffer.length += count
}
