// xxh3.wat as a running WebAssembly instance: made on first use (well under a millisecond), one for the process, its memory growing with the longest prompt.
import { xxh3Wasm } from './xxh3-wasm.ts'

/** Addresses are bytes of `memory`; the first `base` belong to the kernel. */
export interface Kernel {
  readonly base: number
  readonly memory: WebAssembly.Memory
  seed(seed: bigint): void
  hash(at: number, length: number): bigint
  blocks(at: number, stride: number, width: number, count: number, out: number): void
  chain(local: number, count: number, out: number, follows: number): void
}

const base = 384
const page = 65_536
let running: Kernel | undefined

export function kernel(): Kernel {
  if (running === undefined) {
    const module = new WebAssembly.Module(Uint8Array.fromBase64(xxh3Wasm))
    running = { base, ...(new WebAssembly.Instance(module).exports as unknown as Omit<Kernel, 'base'>) }
  }
  return running
}

/** Makes sure that `words` words can be put in; views taken before are void afterwards. */
export function room(words: number): void {
  const { memory } = kernel()
  const missing = base + 4 * words - memory.buffer.byteLength
  if (missing > 0) memory.grow(Math.ceil(missing / page) + 4)
}

/** The memory's words from word `at` on, as a view. */
export function wordsAt(at: number, count: number): Uint32Array {
  return new Uint32Array(kernel().memory.buffer, base + 4 * at, count)
}
