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

let view = new Uint32Array(0)

/** The memory from `base` on, as words. Void after the next call of `room`. */
export function words(): Uint32Array {
  return view
}

/** Makes sure that `count` words can be put in, and returns them as `words` does. */
export function room(count: number): Uint32Array {
  const { memory } = kernel()
  const missing = base + 4 * count - memory.buffer.byteLength
  if (missing > 0) memory.grow(Math.ceil(missing / page) + 4)
  if (view.buffer !== memory.buffer) view = new Uint32Array(memory.buffer, base)
  return view
}
