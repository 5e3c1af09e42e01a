// The calling side of the request plane: streams over one connection that comes back by itself. Transports only say how to dial.
import { AppError, requestCancelled, toAppError } from '../../lib/errors.ts'
import { log } from '../../lib/log.ts'
import type { OutgoingStream, PlaneClient, StreamListener } from '../request-plane.ts'
import { type ByteLink, Channel, type ChannelEvents } from './channel.ts'
import { frames, maxPayloadBytes } from './frame.ts'
import { refusal } from './hello.ts'
import { LongHead, maxHeadBytes, partBytes } from './long-head.ts'
import { decodeError } from './wire-error.ts'

/** What a transport tells of one attempt. After `gone` nothing more. */
export interface DialEvents {
  open(link: ByteLink): void
  data(chunk: Uint8Array): void
  drained(): void
  gone(error: AppError): void
}

/** Starts one attempt; the returned function gives it up (no event follows). */
export type Dial = (events: DialEvents) => () => void

export interface CallerOptions {
  /** For the log. */
  readonly address: string
  /** The server that is meant, '' for any at the address. */
  readonly instance: string
  readonly secret: string | undefined
  readonly maxHeldBytes?: number | undefined
}

const dialMs = 3000
/**
 * A head above this (a request with pictures) waits here while the connection has so much to write, and leaves in parts: a burst of them is slow, not lost, and small frames
 * overtake it.
 */
const largeHead = 64 * 1024
const roomBytes = 1024 * 1024
const firstBackoffMs = 50
const mostBackoffMs = 1000

export class Caller implements PlaneClient, ChannelEvents {
  connected = false
  private readonly dial: Dial
  private readonly options: CallerOptions
  private readonly streams = new Map<number, StreamListener>()
  /** Heads of streams that are open here and not known to the other side, or not all of them, by stream. */
  private readonly waiting = new Map<number, LongHead>()
  private readonly listeners = new Set<(connected: boolean) => void>()
  private channel: Channel | undefined
  private lastHeardAt: number | undefined
  private giveUp: (() => void) | undefined
  private timer: ReturnType<typeof setTimeout> | undefined
  private backoffMs = firstBackoffMs
  private lastStream = 0
  private shut = false
  private toldReason = ''

  constructor(options: CallerOptions, dial: Dial) {
    this.options = options
    this.dial = dial
    this.connect()
  }

  open(head: Uint8Array, listener: StreamListener): OutgoingStream {
    const { channel } = this
    if (head.length > (this.channel?.takesParts === true ? maxHeadBytes : maxPayloadBytes)) {
      listener.fail(new AppError('body_too_large', { message: `A request of ${head.length} bytes is too long for a worker.` }))
      return notOpen
    }
    if (!this.connected || channel === undefined) {
      listener.fail(refusal(this.shut ? 'it was closed' : 'it is not there now'))
      return notOpen
    }
    const waits = head.length > partBytes || (head.length > largeHead && (this.waiting.size > 0 || channel.out.bytes > roomBytes))
    if (!waits && channel.out.bytes + head.length > channel.maxHeldBytes) {
      listener.fail(refusal('it does not read'))
      return notOpen
    }
    const id = this.nextId()
    this.streams.set(id, listener)
    if (waits) {
      this.waiting.set(id, new LongHead(head))
      this.admit()
    } else channel.send(frames.open, id, head)
    return {
      cancel: () => {
        if (!this.streams.has(id) || this.channel !== channel) return
        const head = this.waiting.get(id)
        if (head === undefined || head.begun) channel.send(frames.cancel, id, undefined)
        if (head === undefined) return
        this.waiting.delete(id)
        this.forget(id, listener)
        this.admit()
      },
    }
  }

  get heardAt(): number | undefined {
    return this.channel?.heardAt ?? this.lastHeardAt
  }

  onState(listener: (connected: boolean) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  close(): void {
    if (this.shut) return
    this.shut = true
    clearTimeout(this.timer)
    this.giveUp?.()
    this.giveUp = undefined
    this.channel?.close(refusal('it was closed'))
  }

  ready(): void {
    clearTimeout(this.timer)
    this.backoffMs = firstBackoffMs
    this.toldReason = ''
    this.connected = true
    this.tell()
  }

  frame(kind: number, stream: number, payload: Uint8Array): void {
    const listener = this.streams.get(stream)
    // Not there: its listener threw, and what comes until the other side hears of the cancel is nobody's.
    if (listener === undefined) return
    if (kind === frames.message) {
      try {
        listener.message(payload)
      } catch (thrown) {
        this.threw(stream, listener, thrown)
      }
      return
    }
    if (kind !== frames.end && kind !== frames.fail) return
    this.streams.delete(stream)
    if (kind === frames.end) guarded(() => listener.end())
    else guarded(() => listener.fail(decodeError(payload)))
  }

  closed(error: AppError): void {
    this.lastHeardAt = this.heardAt
    this.channel = undefined
    this.giveUp = undefined
    clearTimeout(this.timer)
    const was = this.connected
    this.connected = false
    if (was) this.tell()
    const lost = [...this.streams.values()]
    this.streams.clear()
    this.waiting.clear()
    const failure = asUnavailable(error)
    for (const listener of lost) guarded(() => listener.fail(failure))
    this.again(error)
  }

  private connect(): void {
    let channel: Channel | undefined
    this.timer = setTimeout(() => {
      if (channel !== undefined) return channel.lost(refusal('it does not greet'))
      giveUp()
      this.closed(refusal('it does not answer'))
    }, dialMs)
    const giveUp = this.dial({
      open: (link) => {
        const { instance, secret, maxHeldBytes } = this.options
        channel = new Channel(link, { role: 'client', secret, instance, maxHeldBytes }, this)
        this.channel = channel
        this.giveUp = undefined
      },
      data: (chunk) => channel?.received(chunk),
      drained: () => {
        channel?.drained()
        if (channel === this.channel) this.admit()
      },
      gone: (error) => (channel === undefined ? this.closed(error) : channel.lost(error)),
    })
    if (channel === undefined) this.giveUp = giveUp
  }

  /** As much of what waits as there is room for. */
  private admit(): void {
    for (const [id, head] of this.waiting) {
      for (let last = false; !last; ) {
        const { channel } = this
        if (channel === undefined || channel.out.bytes > roomBytes) return
        last = head.next((kind, payload) => channel.send(kind, id, payload), channel.takesParts)
      }
      this.waiting.delete(id)
    }
  }

  /** A stream that the other side never heard of, or knows nothing of any more. */
  private forget(id: number, listener: StreamListener): void {
    this.streams.delete(id)
    queueMicrotask(() => guarded(() => listener.fail(requestCancelled())))
  }

  private again(error: AppError): void {
    if (this.shut) return
    if (this.toldReason !== error.message) log.warn({ address: this.options.address, reason: error.message }, 'worker connection lost')
    this.toldReason = error.message
    this.timer = setTimeout(() => this.connect(), this.backoffMs * (0.75 + Math.random() / 2))
    this.backoffMs = Math.min(this.backoffMs * 2, mostBackoffMs)
  }

  private tell(): void {
    for (const listener of [...this.listeners]) guarded(() => listener(this.connected))
  }

  private nextId(): number {
    do this.lastStream = this.lastStream === 0xffffffff ? 1 : this.lastStream + 1
    while (this.streams.has(this.lastStream))
    return this.lastStream
  }

  private threw(stream: number, listener: StreamListener, thrown: unknown): void {
    log.error({ err: thrown, address: this.options.address }, "a stream's listener threw")
    this.streams.delete(stream)
    this.channel?.send(frames.cancel, stream, undefined)
    guarded(() => listener.fail(toAppError(thrown)))
  }
}

const notOpen: OutgoingStream = { cancel() {} }

/** Whatever ended the connection, its streams can be tried elsewhere. */
function asUnavailable(error: AppError): AppError {
  if (error.code === 'engine_unavailable') return error
  return new AppError('engine_unavailable', { message: 'The connection to the worker broke.', retryAfterSecs: 1, cause: error })
}

function guarded(call: () => void): void {
  try {
    call()
  } catch (error) {
    log.error({ err: error }, "a stream's listener threw at its end")
  }
}
