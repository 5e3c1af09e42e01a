// What a connection still has to write: one buffer fills while the other leaves, so that nothing is moved and a stream's share is known.
import { headBytes } from './frame.ts'

const firstBytes = 16 * 1024
/** A buffer above this is let go once it has left: one burst does not hold memory for ever. */
const keptBytes = 1024 * 1024
const empty = new Uint8Array(0)

export class OutBuffer {
  /** Counts the times that the filling buffer became the leaving one: bytes of two rounds ago have left. */
  round = 0
  private filling: Uint8Array = new Uint8Array(firstBytes)
  private filled = 0
  private leaving: Uint8Array = empty
  private left = 0
  private leavingEnd = 0

  /** Bytes that the kernel has not taken. */
  get bytes(): number {
    return this.filled + this.leavingEnd - this.left
  }

  /** Appends one frame; the payload is copied. */
  frame(kind: number, stream: number, payload: Uint8Array | undefined): void {
    const size = payload === undefined ? 0 : payload.length
    let at = this.filled
    if (at + headBytes + size > this.filling.length) this.grow(headBytes + size)
    const out = this.filling
    const length = size + headBytes - 4
    out[at++] = length
    out[at++] = length >>> 8
    out[at++] = length >>> 16
    out[at++] = length >>> 24
    out[at++] = kind
    out[at++] = stream
    out[at++] = stream >>> 8
    out[at++] = stream >>> 16
    out[at++] = stream >>> 24
    if (size > 64) out.set(payload!, at)
    else for (let i = 0; i < size; i++) out[at + i] = payload![i]!
    this.filled = at + size
  }

  /** Writes until nothing is left or `write` takes no more; returns whether all has left. A negative count means a closed socket: 0. */
  flush(write: (bytes: Uint8Array) => number): boolean {
    for (;;) {
      if (this.left === this.leavingEnd) {
        if (this.filled === 0) return true
        this.swap()
      }
      this.left += Math.max(0, write(this.leaving.subarray(this.left, this.leavingEnd)))
      if (this.left < this.leavingEnd) return false
    }
  }

  private swap(): void {
    const spare = this.leaving.length === 0 || this.leaving.length > keptBytes ? new Uint8Array(firstBytes) : this.leaving
    this.leaving = this.filling
    this.leavingEnd = this.filled
    this.left = 0
    this.filling = spare
    this.filled = 0
    this.round++
  }

  private grow(more: number): void {
    const next = new Uint8Array(Math.max(this.filling.length * 2, this.filled + more))
    next.set(this.filling.subarray(0, this.filled))
    this.filling = next
  }
}
