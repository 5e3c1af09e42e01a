// An ordered byte link over NATS messages to one peer: u32 number, u32 bytes received so far (both little endian), then bytes.
// NATS may lose messages when a server goes: a missing number ends the link. What is on its way is bounded by what the peer has confirmed.
import type { ByteLink } from '../plane/channel.ts'

/** Empty message: the sender knows no such link any more. NATS itself sends one when nobody listens on a subject. */
export const over = new Uint8Array(0)

const headBytes = 8
/** Bytes on their way that the peer has not confirmed. */
const windowBytes = 4 * 1024 * 1024
/** Received bytes that are confirmed by a message of their own; fewer wait for the next one that goes anyway. */
const confirmBytes = 256 * 1024

export interface NatsLinkEvents {
  /** The peer's bytes: a view into the message. */
  data(bytes: Uint8Array): void
  drained(): void
  /** Nothing may be sent or will come any more. */
  broken(reason: string): void
}

export class NatsLink implements ByteLink {
  private readonly publish: (payload: Uint8Array) => void
  private readonly maxPayload: number
  private readonly events: NatsLinkEvents
  private closed = false
  private nextOut = 0
  private nextIn = 0
  /** These three count modulo 2^32. */
  private sent = 0
  private confirmed = 0
  private received = 0
  private told = 0
  private blocked = false

  /** `publish` sends one message of at most `maxPayload` bytes to the peer and may throw; it keeps the bytes. */
  constructor(publish: (payload: Uint8Array) => void, maxPayload: number, events: NatsLinkEvents) {
    this.publish = publish
    this.maxPayload = maxPayload
    this.events = events
  }

  write(bytes: Uint8Array): number {
    if (this.closed) return 0
    const room = windowBytes - ((this.sent - this.confirmed) >>> 0)
    const take = Math.min(bytes.length, Math.max(0, room))
    const most = this.maxPayload - headBytes
    for (let at = 0; at < take && !this.closed; at += most) this.put(bytes.subarray(at, Math.min(at + most, take)))
    this.blocked = take < bytes.length
    return take
  }

  /** To be called with every message from the peer. */
  take(message: Uint8Array): void {
    if (this.closed) return
    const view = new DataView(message.buffer, message.byteOffset, message.byteLength)
    const wrong = message.length < headBytes || view.getUint32(0, true) !== this.nextIn
    if (wrong) {
      this.break(message.length === 0 ? 'the other side has left' : 'messages were lost on the way')
      return
    }
    this.nextIn = (this.nextIn + 1) >>> 0
    this.confirmed = view.getUint32(4, true)
    const size = message.length - headBytes
    this.received = (this.received + size) >>> 0
    if (size > 0) this.events.data(message.subarray(headBytes))
    if (this.closed) return
    if ((this.received - this.told) >>> 0 >= confirmBytes) this.put(over)
    if (!this.blocked) return
    this.blocked = false
    this.events.drained()
  }

  end(): void {
    this.terminate()
  }

  terminate(): void {
    if (this.closed) return
    this.closed = true
    try {
      this.publish(over)
    } catch {
      // The NATS connection is closed: the peer finds out by silence.
    }
  }

  private put(bytes: Uint8Array): void {
    const message = new Uint8Array(headBytes + bytes.length)
    const view = new DataView(message.buffer)
    view.setUint32(0, this.nextOut, true)
    view.setUint32(4, this.received, true)
    message.set(bytes, headBytes)
    this.nextOut = (this.nextOut + 1) >>> 0
    this.sent = (this.sent + bytes.length) >>> 0
    this.told = this.received
    try {
      this.publish(message)
    } catch (error) {
      this.break((error as Error).message)
    }
  }

  private break(reason: string): void {
    this.events.broken(reason)
    this.terminate()
  }
}
