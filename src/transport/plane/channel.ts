// One greeted connection of the request plane over any ordered bytes: frames out once a turn, frames in, a pulse both ways.
import { type AppError, toAppError } from '../../lib/errors.ts'
import { markTurn, type TurnEnd } from '../../lib/turn.ts'
import { type Beating, deadClientTicks, deadTicks, quietMs, startBeat, stopBeat, tickMs } from './beat.ts'
import { FrameError, FrameParser, type FrameReader, frames, maxFrameBytes } from './frame.ts'
import { checkProof, encodeHello, type Hello, magic, newHello, proofOf, type Role, readHello, refusal } from './hello.ts'
import { OutBuffer } from './out-buffer.ts'
import { decodeError, encodeError } from './wire-error.ts'

/** Ordered bytes to one peer: a TCP socket, or a session over NATS. */
export interface ByteLink {
  /** How many bytes were taken; fewer than given: `Channel.drained` is called when there is room again. */
  write(bytes: Uint8Array): number
  /** After what was written. */
  end(): void
  /** At once; the peer may be gone. */
  terminate(): void
}

export interface ChannelEvents {
  /** Greeted: frames may be sent. */
  ready(): void
  /** open, message, end, fail, cancel, part; the payload is reused. */
  frame(kind: number, stream: number, payload: Uint8Array): void
  /** Once, whoever ended it. Nothing is called after this. */
  closed(error: AppError): void
}

export interface ChannelOptions {
  readonly role: Role
  readonly secret: string | undefined
  /** Of a client: the server it means, '' for any. Of a server: its own. */
  readonly instance: string
  /** Held bytes at which the connection is cut, and messages are not taken any more. Default 64 MiB. */
  readonly maxHeldBytes?: number | undefined
}

const defaultMaxHeldBytes = 64 * 1024 * 1024
/** Ends and failures are still queued above the limit, up to here. */
const graceBytes = 4 * 1024 * 1024
const writeNowBytes = 256 * 1024

export class Channel implements TurnEnd, Beating, FrameReader {
  marked = false
  ready = false
  /** Of the other side, once it has greeted. */
  takesParts = false
  readonly out = new OutBuffer()
  readonly maxHeldBytes: number
  private readonly link: ByteLink
  private readonly options: ChannelOptions
  private readonly events: ChannelEvents
  private readonly parser = new FrameParser(this)
  private readonly write: (bytes: Uint8Array) => number
  private readonly own: Hello
  private wantedProof: Uint8Array | undefined
  private blocked = false
  private closed = false
  private silent = 0
  /** When bytes last came, and left. */
  heardAt: number | undefined
  private sentAt = performance.now()

  constructor(link: ByteLink, options: ChannelOptions, events: ChannelEvents) {
    this.link = link
    this.options = options
    this.events = events
    this.maxHeldBytes = options.maxHeldBytes ?? defaultMaxHeldBytes
    this.write = (bytes) => link.write(bytes)
    this.own = newHello(options.secret, options.instance)
    startBeat(this)
    this.send(frames.hello, magic, encodeHello(this.own))
  }

  /** Queues one frame; it leaves with everything else of this turn in one write. */
  send(kind: number, stream: number, payload: Uint8Array | undefined): void {
    if (this.closed) return
    this.out.frame(kind, stream, payload)
    if (!this.blocked && this.out.bytes > writeNowBytes) this.flush()
    else markTurn(this)
  }

  /** To be called with every chunk that comes. */
  received(chunk: Uint8Array): void {
    if (this.closed) return
    const now = performance.now()
    this.heardAt = now
    this.silent = 0
    // A timer of a busy loop comes every second turn only, what others send in each: with turns of 0.8 s our own pings alone would be too late.
    if (this.ready) this.pingIfQuiet(now)
    try {
      this.parser.push(plain(chunk))
    } catch (thrown) {
      if (thrown instanceof FrameError) this.lost(refusal(`the other side sent ${thrown.message}, which is no request plane`))
      else this.refuse(toAppError(thrown))
    }
  }

  /** To be called when the link takes bytes again. */
  drained(): void {
    this.blocked = false
    this.flush()
  }

  turnEnd(): void {
    if (!this.blocked) this.flush()
    else if (this.out.bytes > this.maxHeldBytes + graceBytes) this.lost(refusal('the other side does not read'))
  }

  tick(): void {
    const limit = this.ready && this.options.role === 'server' ? deadClientTicks : deadTicks
    if (++this.silent >= limit) this.lost(refusal(`no sign of life for ${(limit * tickMs) / 1000} s`))
    else this.pingIfQuiet(performance.now())
  }

  frame(kind: number, stream: number, payload: Uint8Array): void {
    if (this.ready && stream !== 0 && isOfStream(kind)) this.events.frame(kind, stream, payload)
    else if (kind === frames.ping && this.ready) return
    else if (kind === frames.hello && this.wantedProof === undefined && stream === magic) this.greeted(payload)
    else if (kind === frames.proof && this.wantedProof !== undefined && !this.ready) this.proven(payload)
    else if (kind === frames.fail && stream === 0) this.lost(decodeError(payload))
    else throw new FrameError(`a frame of kind ${kind} where none is due`)
  }

  /** Ends it after what is queued has been written, as far as the link takes it now. */
  close(error: AppError): void {
    if (this.closed) return
    this.flush()
    this.shut(error)
    this.link.end()
  }

  /** The link is gone, or must go. */
  lost(error: AppError): void {
    if (this.closed) return
    this.shut(error)
    this.link.terminate()
  }

  private pingIfQuiet(now: number): void {
    if (!this.blocked && now - this.sentAt >= quietMs) this.send(frames.ping, 0, undefined)
  }

  private shut(error: AppError): void {
    this.closed = true
    this.ready = false
    this.parser.stopped = true
    stopBeat(this)
    this.events.closed(error)
  }

  /** Tells the other side why, then ends. */
  private refuse(error: AppError): void {
    this.send(frames.fail, 0, encodeError(error))
    this.close(error)
  }

  private greeted(payload: Uint8Array): void {
    const { role, secret } = this.options
    const other = readHello(payload, secret)
    this.takesParts = other.takesParts
    const [client, server] = role === 'client' ? [this.own, other] : [other, this.own]
    if (client.instance !== '' && client.instance !== server.instance) throw refusal('another worker has taken its address')
    this.wantedProof = proofOf(role === 'client' ? 'server' : 'client', secret, client, server)
    this.send(frames.proof, 0, proofOf(role, secret, client, server))
  }

  private proven(payload: Uint8Array): void {
    checkProof(payload, this.wantedProof!)
    this.parser.maxBytes = maxFrameBytes
    this.ready = true
    this.events.ready()
  }

  private flush(): void {
    if (this.closed || this.blocked) return
    if (this.out.bytes > 0) this.sentAt = performance.now()
    this.blocked = !this.out.flush(this.write)
  }
}

function isOfStream(kind: number): boolean {
  return (kind >= frames.open && kind <= frames.cancel) || kind === frames.part
}

/** `slice` of a Buffer does not copy: nobody behind this shall meet one. */
function plain(chunk: Uint8Array): Uint8Array {
  return Buffer.isBuffer(chunk) ? new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length) : chunk
}
