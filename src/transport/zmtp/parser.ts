// ZMTP bytes to events, one state machine a connection. Knows no socket; how the bytes are cut into chunks never matters.
import { checkGreeting, greetingBytes, ZmtpError } from './greeting.ts'

export interface ParserEvents {
  /** The peer's greeting was read and is acceptable. */
  greeted(): void
  command(name: string, body: Uint8Array): void
  /** One frame of a message. `body` may be a view into the chunk that was pushed. */
  frame(body: Uint8Array, more: boolean): void
}

const decoder = new TextDecoder()
const empty = new Uint8Array(0)

/** Frames larger than this end the connection: nobody here sends them, and the size field is the peer's word. */
const defaultMaxFrameBytes = 256 * 1024 * 1024

export class ZmtpParser {
  private readonly events: ParserEvents
  private readonly maxFrameBytes: number
  private greetingHave = 0
  private readonly greeting = new Uint8Array(greetingBytes)
  /** Flags of the frame whose size or body is being read; -1: a frame starts next. */
  private flags = -1
  /** Bytes of the size field still to come. */
  private sizeLeft = 0
  private size = 0
  /** Holds a body that spans chunks, at its full size from the start: no copy is made twice. */
  private body: Uint8Array = empty
  private have = 0

  constructor(events: ParserEvents, maxFrameBytes = defaultMaxFrameBytes) {
    this.events = events
    this.maxFrameBytes = maxFrameBytes
  }

  /** Feeds bytes as they come. Throws ZmtpError on what cannot be ZMTP; the parser is of no use after that. */
  push(chunk: Uint8Array): void {
    let at = this.greetingHave < greetingBytes ? this.readGreeting(chunk) : 0
    while (at < chunk.length) {
      if (this.flags === -1) {
        this.startFrame(chunk[at++]!)
        continue
      }
      if (this.sizeLeft > 0) {
        this.size = this.size * 256 + chunk[at++]!
        if (--this.sizeLeft > 0) continue
        if (this.size > this.maxFrameBytes) throw new ZmtpError(`a frame of ${this.size} bytes is over the limit of ${this.maxFrameBytes}`)
        if (this.size === 0) this.finish(empty)
        continue
      }
      const wanted = this.size - this.have
      const there = chunk.length - at
      if (this.have === 0 && there >= wanted) {
        this.finish(chunk.subarray(at, at + wanted))
        at += wanted
        continue
      }
      if (this.have === 0) this.body = new Uint8Array(this.size)
      const taken = Math.min(wanted, there)
      this.body.set(chunk.subarray(at, at + taken), this.have)
      this.have += taken
      at += taken
      if (this.have === this.size) this.finish(this.body)
    }
  }

  private readGreeting(chunk: Uint8Array): number {
    const taken = Math.min(greetingBytes - this.greetingHave, chunk.length)
    this.greeting.set(chunk.subarray(0, taken), this.greetingHave)
    this.greetingHave += taken
    if (this.greetingHave === greetingBytes) {
      checkGreeting(this.greeting)
      this.events.greeted()
    }
    return taken
  }

  private startFrame(flags: number): void {
    if (flags > 7 || (flags & 5) === 5) throw new ZmtpError(`bad frame flags ${flags}`)
    this.flags = flags
    this.sizeLeft = flags & 2 ? 8 : 1
    this.size = 0
    this.have = 0
  }

  private finish(body: Uint8Array): void {
    const flags = this.flags
    this.flags = -1
    this.have = 0
    this.body = empty
    if ((flags & 4) === 0) {
      this.events.frame(body, (flags & 1) === 1)
      return
    }
    const nameEnd = 1 + (body[0] ?? 0)
    if (body.length < nameEnd || nameEnd === 1) throw new ZmtpError('a command without a name')
    this.events.command(decoder.decode(body.subarray(1, nameEnd)), body.subarray(nameEnd))
  }
}
