// A PUSH socket to one peer whose sender waits: `send` resolves when the kernel has taken the message, so that a peer which does not read holds up who sends, not our
// memory. One attempt to connect: who pushes answers a question, and a peer that is gone shall fail it now.
import { type ByteSocket, Connection } from './connection.ts'

export interface PushSocket {
  /** No message can leave any more. */
  readonly closed: boolean
  /** Messages leave whole and in order. Rejects when the connection cannot be made or is lost before the last byte left, or when `signal` aborts (the connection ends then if the message had begun). */
  send(parts: readonly Uint8Array[], signal: AbortSignal): Promise<void>
  close(): void
}

interface Held {
  connection: Connection | undefined
}

/** Dials `host:port` at once. `onClosed` is told once when the connection is over. */
export function pushSocket(host: string, port: number, onClosed: () => void = () => {}): PushSocket {
  return new Push(host, port, onClosed)
}

class Push implements PushSocket {
  closed = false
  private connection: Connection | undefined
  private socket: { end(): void; terminate(): void } | undefined
  private reason = 'it closed the connection'
  private readonly greeted = Promise.withResolvers<void>()
  /** Who waits for the bytes before it to leave. */
  private turn: Promise<void> = Promise.resolve()
  private emptied: { resolve(): void; reject(error: Error): void } | undefined
  private readonly host: string
  private readonly port: number
  private readonly onClosed: () => void

  constructor(host: string, port: number, onClosed: () => void) {
    this.host = host
    this.port = port
    this.onClosed = onClosed
    this.greeted.promise.catch(() => {})
    this.dial()
  }

  async send(parts: readonly Uint8Array[], signal: AbortSignal): Promise<void> {
    const before = this.turn
    const mine = Promise.withResolvers<void>()
    this.turn = mine.promise
    try {
      await until(before, signal)
      await until(this.greeted.promise, signal)
      if (this.closed) throw this.lost()
      await this.write(parts, signal)
    } finally {
      // A sender that leaves while it waits must not let those behind it overtake the one before it.
      void before.then(() => mine.resolve())
    }
  }

  close(): void {
    if (this.closed) return
    this.reason = 'it was closed'
    this.connection?.close()
    this.socket?.end()
    this.over()
  }

  private write(parts: readonly Uint8Array[], signal: AbortSignal): Promise<void> {
    const connection = this.connection!
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const onAbort = () => {
      // Half a message cannot be taken back.
      this.reason = 'its peer did not read'
      this.socket?.terminate()
      this.over()
    }
    this.emptied = { resolve, reject }
    signal.addEventListener('abort', onAbort, { once: true })
    connection.send(parts)
    queueMicrotask(() => this.look())
    return promise.finally(() => {
      signal.removeEventListener('abort', onAbort)
      this.emptied = undefined
    })
  }

  /** Has all left? */
  private look(): void {
    if (this.connection?.queuedBytes === 0) this.emptied?.resolve()
  }

  private dial(): void {
    const events = {
      ready: () => this.greeted.resolve(),
      message: () => {},
      failed: (error: Error) => {
        this.reason = error.message
      },
    }
    Bun.connect<Held>({
      hostname: this.host,
      port: this.port,
      socket: {
        open: (socket) => {
          this.socket = socket
          socket.data = { connection: new Connection(socket as ByteSocket, 'PUSH', new Uint8Array(0), events) }
          this.connection = socket.data.connection
          if (this.closed) socket.end()
        },
        data: (socket, chunk) => socket.data.connection?.received(chunk),
        drain: (socket) => {
          socket.data.connection?.drained()
          this.look()
        },
        close: () => this.over(),
        error: (_, error) => {
          this.reason = error.message
        },
        connectError: () => {
          this.reason = 'nothing listens there'
          this.over()
        },
      },
    }).catch(() => {
      this.reason = 'nothing listens there'
      this.over()
    })
  }

  private over(): void {
    if (this.closed) return
    this.closed = true
    if (this.connection !== undefined) this.connection.closed = true
    this.greeted.reject(this.lost())
    this.emptied?.reject(this.lost())
    this.onClosed()
  }

  private lost(): Error {
    return new Error(`the connection to ${this.host}:${this.port} is gone: ${this.reason}`)
  }
}

/** `work`, or the signal's reason as soon as it aborts. */
function until(work: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    if (signal.aborted) return onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
