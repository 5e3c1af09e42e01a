// One ZMTP connection over a Bun socket: handshake, messages out with coalesced writes, messages in through the parser.
import { encodeCommand, encodeGreeting, encodeReady, readReady, type SocketType, ZmtpError } from './greeting.ts'
import { type ParserEvents, ZmtpParser } from './parser.ts'

export interface ConnectionEvents {
  /** The handshake is done: messages may be sent. */
  ready(connection: Connection): void
  /** A whole message. Parts may be views into a receive buffer of their own: keeping one keeps its chunk. */
  message(parts: Uint8Array[], connection: Connection): void
  /** The peer broke the protocol or is of the wrong kind; the connection is closed after this. */
  failed(error: ZmtpError, connection: Connection): void
}

/** What is asked of the transport below; Bun's TCP and unix sockets have it. */
export interface ByteSocket {
  write(bytes: Uint8Array): number
  end(): void
}

const firstOutBytes = 16 * 1024
/** A drained out-buffer above this is let go, so that one burst does not hold memory for ever. */
const keptOutBytes = 1024 * 1024
const writeNowBytes = 256 * 1024
const decoder = new TextDecoder()

export class Connection implements ParserEvents {
  /** The peer's identity, as given in READY. */
  identity: Uint8Array = new Uint8Array(0)
  /** Prefixes that a SUB peer asked for. */
  readonly topics: string[] = []
  ready = false
  closed = false
  private readonly type: SocketType
  private readonly ownIdentity: Uint8Array
  private readonly events: ConnectionEvents
  private readonly socket: ByteSocket
  private readonly parser = new ZmtpParser(this)
  private parts: Uint8Array[] = []
  private out = new Uint8Array(firstOutBytes)
  private outEnd = 0
  private outStart = 0
  private blocked = false
  private scheduled = false

  constructor(socket: ByteSocket, type: SocketType, ownIdentity: Uint8Array, events: ConnectionEvents) {
    this.socket = socket
    this.type = type
    this.ownIdentity = ownIdentity
    this.events = events
    this.raw(encodeGreeting())
    this.flush()
  }

  /** Bytes accepted by `send` that the kernel has not taken yet. */
  get queuedBytes(): number {
    return this.outEnd - this.outStart
  }

  /** Queues one message; it leaves with what else is queued in this turn of the loop. */
  send(parts: readonly Uint8Array[]): void {
    for (let i = 0; i < parts.length; i++) {
      const part = parts[i]!
      const more = i < parts.length - 1 ? 1 : 0
      this.reserve(part.length + 9)
      if (part.length < 256) {
        this.out[this.outEnd++] = more
        this.out[this.outEnd++] = part.length
      } else {
        this.out[this.outEnd++] = more | 2
        const view = new DataView(this.out.buffer, this.outEnd, 8)
        view.setUint32(0, Math.floor(part.length / 2 ** 32))
        view.setUint32(4, part.length >>> 0)
        this.outEnd += 8
      }
      this.out.set(part, this.outEnd)
      this.outEnd += part.length
    }
    if (this.queuedBytes > writeNowBytes) this.flush()
    else this.schedule()
  }

  subscribe(topic: string): void {
    this.raw(encodeCommand('SUBSCRIBE', new TextEncoder().encode(topic)))
  }

  /** To be called with every chunk the socket reads. */
  received(chunk: Uint8Array): void {
    if (this.closed) return
    try {
      this.parser.push(chunk)
    } catch (thrown) {
      if (!(thrown instanceof ZmtpError)) throw thrown
      this.events.failed(thrown, this)
      this.close()
    }
  }

  /** To be called when the socket can take bytes again. */
  drained(): void {
    this.blocked = false
    this.flush()
  }

  close(): void {
    if (this.closed) return
    this.flush()
    this.closed = true
    this.socket.end()
  }

  greeted(): void {
    this.raw(encodeReady(this.type, this.ownIdentity))
  }

  command(name: string, body: Uint8Array): void {
    if (name === 'READY') {
      this.identity = readReady(body, this.type)
      this.ready = true
      this.events.ready(this)
    } else if (name === 'PING') this.raw(encodeCommand('PONG', body.slice(2)))
    else if (name === 'SUBSCRIBE') this.topics.push(decoder.decode(body))
    else if (name === 'CANCEL') this.cancel(decoder.decode(body))
    else if (name === 'ERROR') throw new ZmtpError(`the peer refused: ${decoder.decode(body.subarray(1))}`)
  }

  frame(body: Uint8Array, more: boolean): void {
    if (!this.ready) throw new ZmtpError('a message before READY')
    if (more) {
      this.parts.push(body)
      return
    }
    let parts: Uint8Array[]
    if (this.parts.length === 0) parts = [body]
    else {
      parts = this.parts
      parts.push(body)
      this.parts = []
    }
    if (this.type === 'PUB') this.oldSubscription(parts[0]!)
    else this.events.message(parts, this)
  }

  /** ZMTP 3.0 peers subscribe by a message: 1 or 0, then the topic. */
  private oldSubscription(body: Uint8Array): void {
    const topic = decoder.decode(body.subarray(1))
    if (body[0] === 1) this.topics.push(topic)
    else this.cancel(topic)
  }

  private cancel(topic: string): void {
    const at = this.topics.indexOf(topic)
    if (at >= 0) this.topics.splice(at, 1)
  }

  private raw(bytes: Uint8Array): void {
    this.reserve(bytes.length)
    this.out.set(bytes, this.outEnd)
    this.outEnd += bytes.length
    this.schedule()
  }

  private reserve(bytes: number): void {
    if (this.outEnd + bytes <= this.out.length) return
    const queued = this.queuedBytes
    const roomy = queued + bytes <= this.out.length / 2
    const next = roomy ? this.out : new Uint8Array(Math.max(this.out.length * 2, queued + bytes))
    if (roomy) this.out.copyWithin(0, this.outStart, this.outEnd)
    else next.set(this.out.subarray(this.outStart, this.outEnd))
    this.out = next
    this.outStart = 0
    this.outEnd = queued
  }

  private schedule(): void {
    if (this.scheduled) return
    this.scheduled = true
    queueMicrotask(() => {
      this.scheduled = false
      this.flush()
    })
  }

  private flush(): void {
    if (this.blocked || this.closed || this.outStart === this.outEnd) return
    const written = this.socket.write(this.out.subarray(this.outStart, this.outEnd))
    this.outStart += Math.max(written, 0)
    if (this.outStart < this.outEnd) {
      this.blocked = true
      return
    }
    this.outStart = 0
    this.outEnd = 0
    if (this.out.length > keptOutBytes) this.out = new Uint8Array(firstOutBytes)
  }
}
