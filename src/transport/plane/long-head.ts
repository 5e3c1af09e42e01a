// Heads that are longer than one frame should be: sent in parts as the connection takes them, so that frames of other streams go between, and put together again.
import { FrameError, frames } from './frame.ts'

/** A head above this goes in parts, where the other side takes them. */
export const partBytes = 1024 * 1024
/** Of one head, in parts or not: requests with many pictures. */
export const maxHeadBytes = 512 * 1024 * 1024

const lengthBytes = 4

/** A head that has not left, or not all of it. */
export class LongHead {
  private readonly head: Uint8Array
  private at = 0

  constructor(head: Uint8Array) {
    this.head = head
  }

  get begun(): boolean {
    return this.at > 0
  }

  get left(): number {
    return this.head.length - this.at
  }

  /** Sends the next piece; returns whether it was the last. `inParts`: the other side takes them. */
  next(send: (kind: number, payload: Uint8Array) => void, inParts: boolean): boolean {
    const { head, at } = this
    if (!inParts || head.length - at <= partBytes) {
      send(frames.open, head.subarray(at))
      return true
    }
    const part = new Uint8Array(lengthBytes + partBytes)
    new DataView(part.buffer).setUint32(0, head.length, true)
    part.set(head.subarray(at, at + partBytes), lengthBytes)
    this.at += partBytes
    send(frames.part, part)
    return false
  }
}

/** The other end: one head at a time, its memory taken once. Throws FrameError on what no caller of ours sends. */
export class HeadReader {
  private stream = 0
  private bytes: Uint8Array | undefined
  private have = 0

  part(stream: number, payload: Uint8Array): void {
    if (payload.length <= lengthBytes) throw new FrameError('a part of a head with nothing in it')
    const total = new DataView(payload.buffer, payload.byteOffset).getUint32(0, true)
    if (this.bytes === undefined) {
      if (total > maxHeadBytes) throw new FrameError(`a head of ${total} bytes`)
      this.bytes = new Uint8Array(total)
      this.stream = stream
      this.have = 0
    } else if (stream !== this.stream) throw new FrameError('parts of two heads at once')
    this.take(this.bytes, payload.subarray(lengthBytes))
    if (this.have === this.bytes.length) throw new FrameError('a head whose parts leave nothing to open')
  }

  /** The head of a stream that opens with `payload`. */
  whole(stream: number, payload: Uint8Array): Uint8Array {
    const { bytes } = this
    if (bytes === undefined || stream !== this.stream) return payload
    this.take(bytes, payload)
    if (this.have !== bytes.length) throw new FrameError('a head that ends before its time')
    this.clear()
    return bytes
  }

  /** Its caller left before it was whole. */
  cancel(stream: number): void {
    if (stream === this.stream) this.clear()
  }

  clear(): void {
    this.stream = 0
    this.bytes = undefined
  }

  private take(bytes: Uint8Array, piece: Uint8Array): void {
    if (this.have + piece.length > bytes.length) throw new FrameError('a head that is longer than it said')
    bytes.set(piece, this.have)
    this.have += piece.length
  }
}
