// The answering side of the request plane on one connection: each opened stream goes to the service; what a peer does not read is bounded.
import { AppError, toAppError } from '../../lib/errors.ts'
import { log } from '../../lib/log.ts'
import type { IncomingStream, PlaneService } from '../request-plane.ts'
import { type ByteLink, Channel, type ChannelEvents } from './channel.ts'
import { FrameError, frames, maxPayloadBytes } from './frame.ts'
import { HeadReader } from './long-head.ts'
import { encodeError } from './wire-error.ts'

export interface AnswererOptions {
  readonly service: PlaneService
  readonly instance: string
  readonly secret: string | undefined
  /** Bytes of one stream that may wait for a peer that does not read. Default 4 MiB; one message alone may be larger. */
  readonly maxStreamBytes?: number | undefined
  /** The same for the whole connection. Default 64 MiB. */
  readonly maxHeldBytes?: number | undefined
}

const defaultMaxStreamBytes = 4 * 1024 * 1024

export class Answerer implements ChannelEvents {
  readonly channel: Channel
  readonly maxStreamBytes: number
  private readonly service: PlaneService
  private readonly streams = new Map<number, AnswerStream>()
  private readonly heads = new HeadReader()
  private readonly onClosed: (error: AppError) => void

  constructor(link: ByteLink, options: AnswererOptions, onClosed: (error: AppError) => void) {
    this.service = options.service
    this.onClosed = onClosed
    this.maxStreamBytes = options.maxStreamBytes ?? defaultMaxStreamBytes
    const { secret, instance, maxHeldBytes } = options
    this.channel = new Channel(link, { role: 'server', secret, instance, maxHeldBytes }, this)
  }

  ready(): void {}

  frame(kind: number, id: number, payload: Uint8Array): void {
    if (kind === frames.cancel) {
      this.heads.cancel(id)
      this.streams.get(id)?.drop()
    } else if (kind === frames.open) this.opened(id, this.heads.whole(id, payload))
    else if (kind === frames.part) this.heads.part(id, payload)
    else throw new FrameError(`a frame of kind ${kind} from a client`)
  }

  closed(error: AppError): void {
    const streams = [...this.streams.values()]
    this.streams.clear()
    this.heads.clear()
    for (const stream of streams) stream.gone()
    this.onClosed(error)
  }

  /** Fails what runs, then ends the connection. */
  close(error: AppError): void {
    for (const stream of [...this.streams.values()]) {
      stream.fail(error)
      stream.drop()
    }
    this.channel.close(error)
  }

  forget(id: number): void {
    this.streams.delete(id)
  }

  private opened(id: number, head: Uint8Array): void {
    if (this.streams.has(id)) throw new FrameError('a stream that is open already')
    const stream = new AnswerStream(this, id)
    this.streams.set(id, stream)
    try {
      this.service(head, stream)
    } catch (thrown) {
      log.error({ err: thrown }, 'a service threw')
      stream.fail(toAppError(thrown))
    }
  }
}

class AnswerStream implements IncomingStream {
  private readonly owner: Answerer
  private readonly id: number
  private over = false
  private aborted = false
  private controller: AbortController | undefined
  /** Bytes given to the buffer that fills in `round`, and to the one before it: what may not have left. */
  private round = -1
  private now = 0
  private before = 0

  constructor(owner: Answerer, id: number) {
    this.owner = owner
    this.id = id
  }

  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController()
      if (this.aborted) this.controller.abort()
    }
    return this.controller.signal
  }

  send(message: Uint8Array): void {
    if (this.over) return
    const { channel, maxStreamBytes } = this.owner
    const held = this.held(channel.out.round)
    if (message.length > maxPayloadBytes) {
      this.fail(new AppError('engine_failed', { message: `An answer of ${message.length} bytes is too long for one message.` }))
      this.drop()
      return
    }
    const all = channel.out.bytes
    const tooMuch = (held > 0 && held + message.length > maxStreamBytes) || (all > 0 && all + message.length > channel.maxHeldBytes)
    if (tooMuch) this.overflow()
    else {
      this.now += message.length
      channel.send(frames.message, this.id, message)
    }
  }

  end(): void {
    if (this.finish()) this.owner.channel.send(frames.end, this.id, undefined)
  }

  fail(error: AppError): void {
    if (this.finish()) this.owner.channel.send(frames.fail, this.id, encodeError(error))
  }

  /** The caller wants no more; its `end` or `fail` is still owed. */
  drop(): void {
    if (this.aborted) return
    this.aborted = true
    this.controller?.abort()
  }

  /** The connection is gone. */
  gone(): void {
    this.over = true
    this.drop()
  }

  private finish(): boolean {
    if (this.over) return false
    this.over = true
    this.owner.forget(this.id)
    return true
  }

  private held(round: number): number {
    if (round !== this.round) {
      this.before = round === this.round + 1 ? this.now : 0
      this.now = 0
      this.round = round
    }
    return this.before + this.now
  }

  private overflow(): void {
    this.fail(new AppError('overloaded', { message: 'The answer was given up: it was not read for too long.', retryAfterSecs: 1 }))
    this.drop()
  }
}
