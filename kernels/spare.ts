// Memory of results that nobody needs any more, kept for the next ones. Fresh memory costs more than the work that fills it: the kernel of the operating system
// clears each page at its first touch, some hundred milliseconds for a large picture's numbers on small virtual machines.

/** More than this is not kept, and nothing when no picture came for a while. */
const mostBytes = 256 << 20
const keptMs = 30_000

/** Oldest first. */
const spare: ArrayBufferLike[] = []
let timer: Timer | undefined

/** Contents are whatever they were. */
export function spareFloats(length: number): Float32Array<ArrayBuffer> {
  return new Float32Array(take(4 * length, ArrayBuffer), 0, length)
}

export function spareBytes(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(take(length, ArrayBuffer), 0, length)
}

/** Memory that threads share. */
export function spareShared(bytes: number): SharedArrayBuffer {
  return take(bytes, SharedArrayBuffer)
}

/** The caller, and whoever shares the memory, must not look at it again. */
export function giveBack(array: Float32Array | Uint8Array): void {
  const buffer = array.buffer
  // Views of part of something else (a decoder's, WebAssembly's) are not ours; small ones are not worth it.
  if (array.byteOffset !== 0 || buffer.byteLength < 65_536 || spare.includes(buffer)) return
  spare.push(buffer)
  let kept = spare.reduce((sum, one) => sum + one.byteLength, 0)
  while (kept > mostBytes) kept -= spare.shift()!.byteLength
  timer ??= setTimeout(() => {
    spare.length = 0
    timer = undefined
  }, keptMs).unref()
  timer.refresh()
}

/** The smallest that is large enough, but none of more than twice the size. */
function take<T extends ArrayBufferLike>(bytes: number, kind: new (bytes: number) => T): T {
  let best = -1
  for (const [i, one] of spare.entries()) {
    if (!(one instanceof kind) || one.byteLength < bytes || one.byteLength > 2 * bytes) continue
    if (best === -1 || one.byteLength < spare[best]!.byteLength) best = i
  }
  return best === -1 ? new kind(bytes) : (spare.splice(best, 1)[0] as T)
}
