// One question to a worker that has one message as its answer: embeddings, controls, named calls.
import { type AppError, requestCancelled } from '../../lib/errors.ts'
import type { OutgoingStream, StreamListener } from '../../transport/request-plane.ts'

export class Answer implements StreamListener {
  /** A request of the engine, not a question about it. */
  readonly counts: boolean
  private readonly signal: AbortSignal | undefined
  private readonly resolve: (message: Uint8Array | undefined) => void
  private readonly reject: (error: AppError) => void
  private readonly done: (answer: Answer) => void
  private stream: OutgoingStream | undefined
  private given: Uint8Array | undefined
  private over = false
  private readonly onAbort = () => {
    this.stream?.cancel()
    this.reject(requestCancelled())
  }

  constructor(
    signal: AbortSignal | undefined,
    counts: boolean,
    resolve: (message: Uint8Array | undefined) => void,
    reject: (error: AppError) => void,
    done: (answer: Answer) => void,
  ) {
    this.signal = signal
    this.counts = counts
    this.resolve = resolve
    this.reject = reject
    this.done = done
  }

  begin(stream: OutgoingStream): void {
    if (this.over) return
    this.stream = stream
    this.signal?.addEventListener('abort', this.onAbort)
  }

  /** Aborted before it was asked. */
  cancelled(): void {
    this.finish()
    this.reject(requestCancelled())
  }

  message(bytes: Uint8Array): void {
    this.given = bytes.slice()
  }

  end(): void {
    this.finish()
    this.resolve(this.given)
  }

  fail(error: AppError): void {
    this.finish()
    this.reject(error)
  }

  private finish(): void {
    this.over = true
    this.signal?.removeEventListener('abort', this.onAbort)
    this.done(this)
  }
}
