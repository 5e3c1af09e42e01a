// Frames of the request plane: u32 length of the rest, u8 kind, u32 stream (all little endian), then the payload. The same on TCP and NATS.

/**
 * Every frame kind there is. `hello` and `proof` come first, `fail` on stream 0 refuses the connection. A head that is long comes in any number of `part`s, each with the
 * u32 length of the whole before its bytes, and ends with what `open` brings: no other stream's parts lie between them, other frames may.
 */
export const frames = { hello: 1, proof: 2, open: 3, message: 4, end: 5, fail: 6, cancel: 7, ping: 8, part: 9 } as const

export const headBytes = 9
/** Longest frame of a greeted peer; the length field is the peer's word, so memory is only taken as bytes come. */
export const maxFrameBytes = 64 * 1024 * 1024
export const maxPayloadBytes = maxFrameBytes - headBytes
/** A stranger's frames are short. */
const maxGreetingBytes = 1024

const firstPartBytes = 64 * 1024
/** Payloads up to this size are handed over in views that are made once. */
const smallBytes = 128
const empty = new Uint8Array(0)

/** The peer's bytes cannot be frames: its connection is closed. */
export class FrameError extends Error {
  override readonly name = 'FrameError'
}

export interface FrameReader {
  /** `payload` is reused or a view into what was pushed: copy what is kept. */
  frame(kind: number, stream: number, payload: Uint8Array): void
}

/** Bytes to frames; how the bytes are cut into chunks never matters. Makes no object for a small frame that lies whole in its chunk. */
export class FrameParser {
  /** Raised by the owner once the peer is known. */
  maxBytes = maxGreetingBytes
  /** Set by the owner in mid-chunk: the rest is not looked at. */
  stopped = false
  private readonly reader: FrameReader
  private readonly small = new Uint8Array(smallBytes)
  private readonly views: (Uint8Array | undefined)[] = []
  /** The start of a frame whose rest has not come; `have` bytes of it. */
  private part = empty
  private have = 0

  constructor(reader: FrameReader) {
    this.reader = reader
  }

  /** Feeds bytes as they come. Throws FrameError; the parser is of no use after that. */
  push(chunk: Uint8Array): void {
    let at = this.have > 0 ? this.resume(chunk) : 0
    while (!this.stopped && chunk.length - at >= 4) {
      const total = 4 + this.lengthAt(chunk, at)
      if (chunk.length - at < total) break
      this.emit(chunk, at, total)
      at += total
    }
    if (!this.stopped && at < chunk.length) this.keep(chunk, at, chunk.length)
  }

  /** Completes the frame that was begun; returns how many bytes of the chunk it took. */
  private resume(chunk: Uint8Array): number {
    let at = 0
    if (this.have < 4) {
      at = Math.min(4 - this.have, chunk.length)
      this.keep(chunk, 0, at)
      if (this.have < 4) return at
    }
    const total = 4 + this.lengthAt(this.part, 0)
    const end = Math.min(at + total - this.have, chunk.length)
    this.keep(chunk, at, end)
    if (this.have < total) return end
    const { part } = this
    this.part = empty
    this.have = 0
    this.emit(part, 0, total)
    return end
  }

  private keep(chunk: Uint8Array, start: number, end: number): void {
    const wanted = this.have + end - start
    if (wanted > this.part.length) {
      const grown = new Uint8Array(Math.max(wanted, Math.min(this.announced(), Math.max(firstPartBytes, this.part.length * 2))))
      grown.set(this.part.subarray(0, this.have))
      this.part = grown
    }
    this.part.set(chunk.subarray(start, end), this.have)
    this.have = wanted
  }

  private announced(): number {
    return this.have < 4 ? 64 : 4 + this.lengthAt(this.part, 0)
  }

  private lengthAt(bytes: Uint8Array, at: number): number {
    const length = (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
    if (length < headBytes - 4 || length > this.maxBytes) throw new FrameError(`a frame of ${length} bytes`)
    return length
  }

  private emit(bytes: Uint8Array, start: number, total: number): void {
    const stream = (bytes[start + 5]! | (bytes[start + 6]! << 8) | (bytes[start + 7]! << 16) | (bytes[start + 8]! << 24)) >>> 0
    const at = start + headBytes
    const size = total - headBytes
    this.reader.frame(bytes[start + 4]!, stream, size <= smallBytes ? this.smallView(bytes, at, size) : bytes.subarray(at, at + size))
  }

  private smallView(bytes: Uint8Array, at: number, size: number): Uint8Array {
    const { small } = this
    for (let i = 0; i < size; i++) small[i] = bytes[at + i]!
    const view = this.views[size] ?? small.subarray(0, size)
    this.views[size] = view
    return view
  }
}
