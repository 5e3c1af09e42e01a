// 32-bit words as bytes of a message and back. Little-endian, as every machine that we run on.

/** The same memory as bytes. */
export function bytesOf(words: Uint32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength)
}

/** A copy: the bytes may lie anywhere in a buffer that is used again. Never `slice`: a Buffer's does not copy. */
export function wordsOf(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(new Uint8Array(bytes).buffer)
}
