// One answer of a remote engine: messages of its stream into the request's sink, with exactly one terminal whatever happens on the way.
import { AppError, toAppError } from '../../lib/errors.ts'
import { log } from '../../lib/log.ts'
import type { OutgoingStream, StreamListener } from '../../transport/request-plane.ts'
import type { Finish, PromptLogprobs, Sink } from '../types.ts'
import { decodeBody, decodeFinish, messages, RowReader } from './protocol.ts'

/** After an abort the worker has so long to say how it ended. */
const abortMs = 1000
const cancelled: Finish = { kind: 'abort', message: 'the request was cancelled' }
/** Rows are read and pushed in one synchronous call, so all streams share one. */
const reader = new RowReader()

export class GenerateStream implements StreamListener {
  readonly counts = true
  private readonly requestId: string
  private readonly promptTokens: number
  private readonly sink: Sink
  private readonly signal: AbortSignal
  private readonly resolve: () => void
  private readonly done: (stream: GenerateStream) => void
  private stream: OutgoingStream | undefined
  private received = 0
  /** The sink has had its terminal; the stream may still be open. */
  private ended = false
  private over = false
  private timer: ReturnType<typeof setTimeout> | undefined
  private readonly onAbort = () => this.abort()

  /** `resolve` is called after the sink's terminal, `done` when the worker is done with it as well. */
  constructor(
    requestId: string,
    promptTokens: number,
    sink: Sink,
    signal: AbortSignal,
    resolve: () => void,
    done: (stream: GenerateStream) => void,
  ) {
    this.requestId = requestId
    this.promptTokens = promptTokens
    this.sink = sink
    this.signal = signal
    this.resolve = resolve
    this.done = done
  }

  begin(stream: OutgoingStream): void {
    if (this.over) return
    this.stream = stream
    this.signal.addEventListener('abort', this.onAbort)
  }

  /** Aborted before it was sent. */
  cancelled(): void {
    this.finish(cancelled)
    this.leave()
  }

  message(bytes: Uint8Array): void {
    if (this.ended) return
    const kind = bytes[0]
    if (kind === messages.rows || kind === messages.rowsWithLogprobs) {
      const count = reader.read(bytes)
      this.received += count
      try {
        this.sink.push(reader.ids, 0, count, reader.logprobs)
      } catch (thrown) {
        this.threw(thrown)
      }
    } else if (kind === messages.finish) {
      const [finish, usage] = decodeFinish(bytes)
      this.finish(finish, usage)
    } else if (kind === messages.promptLogprobs) this.promptLogprobs(decodeBody(bytes) as PromptLogprobs)
  }

  end(): void {
    if (!this.ended) this.failed(new AppError('engine_failed', { message: 'The worker ended the answer without saying how.' }))
    this.leave()
  }

  fail(error: AppError): void {
    if (this.signal.aborted) this.finish(cancelled)
    else this.failed(error)
    this.leave()
  }

  private abort(): void {
    this.stream?.cancel()
    this.timer = setTimeout(() => this.finish(cancelled), abortMs)
  }

  private promptLogprobs(logprobs: PromptLogprobs): void {
    try {
      this.sink.promptLogprobs?.(logprobs)
    } catch (thrown) {
      this.threw(thrown)
    }
  }

  private finish(
    finish: Finish,
    usage = { promptTokens: this.promptTokens, completionTokens: this.received, cachedTokens: 0, reasoningTokens: 0 },
  ): void {
    if (!this.close()) return
    try {
      this.sink.end(finish, usage)
    } catch (thrown) {
      this.logged(thrown)
    }
    this.resolve()
  }

  private failed(error: AppError): void {
    if (!this.close()) return
    try {
      this.sink.fail(error)
    } catch (thrown) {
      this.logged(thrown)
    }
    this.resolve()
  }

  /** A sink that threw is told once that it is over; the worker is told to stop. */
  private threw(thrown: unknown): void {
    this.logged(thrown)
    this.stream?.cancel()
    this.failed(toAppError(thrown))
  }

  private close(): boolean {
    if (this.ended) return false
    this.ended = true
    clearTimeout(this.timer)
    this.signal.removeEventListener('abort', this.onAbort)
    return true
  }

  private leave(): void {
    this.over = true
    this.done(this)
  }

  private logged(thrown: unknown): void {
    log.error({ err: thrown, requestId: this.requestId }, 'a sink threw')
  }
}
