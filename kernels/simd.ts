// A WebAssembly module of a kernel as one running instance: made on first use, its memory growing with the largest call (some hundred kilobytes, as
// kernels work on some rows at a time).

export interface Simd<Exports> {
  run: Exports
  /** Views of the memory; void after the next call of `room`. */
  bytes: Uint8Array<ArrayBuffer>
  words: Int32Array<ArrayBuffer>
}

const page = 65_536

/** `base64`: the module, which exports `memory`. The returned function gives the instance with at least `size` bytes of memory, contents as they are. */
export function simd<Exports>(base64: string): (size: number) => Simd<Exports> {
  let memory: WebAssembly.Memory
  let made: Simd<Exports> | undefined
  return (size) => {
    if (made === undefined) {
      const run = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.fromBase64(base64))).exports
      memory = run.memory as WebAssembly.Memory
      made = { run: run as Exports, bytes: new Uint8Array(memory.buffer), words: new Int32Array(memory.buffer) }
    }
    const missing = size - memory.buffer.byteLength
    if (missing > 0) memory.grow(Math.ceil(missing / page))
    if (made.bytes.buffer !== memory.buffer) {
      made.bytes = new Uint8Array(memory.buffer)
      made.words = new Int32Array(memory.buffer)
    }
    return made
  }
}
