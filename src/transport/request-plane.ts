// Seam: one request to another process, a stream of messages back, cancel both ways, credit. TCP and NATS stand behind it; test/suites/plane.suite.ts holds them.
import type { AppError } from '../lib/errors.ts'

/** The caller's ear for one stream. Called synchronously from the socket's read; after one `end` or `fail`, nothing more is called. */
export interface StreamListener {
  /** The bytes are the reader's own and are reused: copy what is kept. */
  message(bytes: Uint8Array): void
  end(): void
  /** The other side failed it, or the connection is gone (`engine_unavailable`). */
  fail(error: AppError): void
}

/** The caller's hold on one stream. */
export interface OutgoingStream {
  /** Asks the other side to stop; its `end` or `fail` still comes, or the connection's. */
  cancel(): void
}

/** A connection to one server. Reconnects by itself with back-off until closed. */
export interface PlaneClient {
  readonly connected: boolean
  /** When the other side last sent anything (performance.now()), which it does about twice a second; stays when the connection is lost. Undefined before the first. */
  readonly heardAt?: number | undefined
  /**
   * A stream that fails at once (`engine_unavailable`) while not connected. All messages of one turn leave in one write. A long head (512 MiB at most, else `body_too_large`)
   * leaves in parts, as the other side takes them; `head` is not to be changed until the stream ends.
   */
  open(head: Uint8Array, listener: StreamListener): OutgoingStream
  /** `up` after each (re)connect, `down` as soon as the other side is known to be gone: closed socket, or no sign of life for 1.5 s. */
  onState(listener: (connected: boolean) => void): () => void
  close(): void
}

/** The server's end of one stream. */
export interface IncomingStream {
  /** Queued and written once a turn. When the peer does not read, `overflow` bytes at most are held; then the stream is failed and cancelled. */
  send(message: Uint8Array): void
  end(): void
  fail(error: AppError): void
  /** The caller cancelled or is gone. */
  readonly signal: AbortSignal
}

/** Answers a stream that was opened with `head`; must not throw. */
export type PlaneService = (head: Uint8Array, stream: IncomingStream) => void

export interface PlaneServer {
  /** What a client needs to reach it: `tcp://host:port`, `nats://subject`. */
  readonly address: string
  /** Ends what runs with `shutting_down` and stops listening. */
  close(): Promise<void>
}
