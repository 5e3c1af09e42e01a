// One answer of pictures or of a clip as server-sent events: how it opens, stays alive, is cut and ends. What the events say is the caller's.
import { AppError, clientGone, toAppError } from '../../lib/errors.ts'
import type { Call } from '../call.ts'
import { SseWriter } from '../stream/sse-writer.ts'
import { MAX_MEDIA_UNREAD, mediaUnread } from '../stream/unread-budget.ts'

/** A client that is so far behind gets no previews. */
const BEHIND = 1 << 20
/** Proxies close what is silent for a minute. */
export const SILENCE_MS = 15_000

/** What both kinds of streams say in words of their own. */
export interface StreamWords {
  /** The last events of a stream that failed. */
  failed(error: AppError): string
  /** Told in the stream to a client that did not read: without it, an answer cut in the middle would look like a whole one. */
  unread: string
}

export interface StreamWork {
  /** Between two beats. */
  everyMs: number
  /** Time to say something, if nothing else was said. */
  beat(): void
  /** Makes, writes and keeps it all; resolves with the last events. A rejection fails the stream. */
  work(signal: AbortSignal): Promise<{ last: string; workerId: string }>
  /** After a failure, before it is told: leaves nothing behind. Resolves with the failure's cause, which may be an earlier one. */
  undo?(thrown: unknown): Promise<unknown>
}

export class MediaStream {
  /** Resolves when the first event is there; rejects with an AppError when it failed before that. */
  readonly response: Promise<Response>
  /** Where the work is done, as soon as it is known. */
  workerId: string | undefined
  readonly #call: Call
  readonly #words: StreamWords
  readonly #writer: SseWriter
  readonly #reject: (error: AppError) => void
  readonly #stop = new AbortController()
  #unread = false
  /** The work is over; its end may still wait for the client. */
  #done = false

  constructor(call: Call, words: StreamWords) {
    const { promise, resolve, reject } = Promise.withResolvers<Response>()
    this.response = promise
    this.#reject = reject
    this.#call = call
    this.#words = words
    this.#writer = new SseWriter(
      {
        open: (body) => resolve(new Response(body, { headers: this.#headers() })),
        overflow: () => {
          this.#unread = true
          this.#stop.abort()
          if (this.#done) this.#fail(undefined)
        },
      },
      { maxUnread: MAX_MEDIA_UNREAD, budget: mediaUnread },
    )
  }

  /** The client has been answered: a failure can then only be told as an event. */
  get opened(): boolean {
    return this.#writer.opened
  }

  /** The client reads too slowly for what it can do without. */
  get behind(): boolean {
    return this.#writer.unread >= BEHIND
  }

  /** Adds whole events. */
  write(text: string): void {
    this.#writer.write(text)
  }

  /** Ends the work. */
  stop(): void {
    this.#stop.abort()
  }

  /** Once: all there is to a stream. Never rejects; how it ended is the call's outcome, and `response` when nothing was written. */
  async run({ everyMs, beat, work, undo }: StreamWork): Promise<void> {
    const { signal } = this.#call
    const onAbort = () => this.#stop.abort()
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
    const beats = setInterval(beat, everyMs)
    try {
      const { last, workerId } = await work(this.#stop.signal)
      if (this.#stop.signal.aborted) throw clientGone()
      this.#done = true
      this.#call.outcome({ workerId, sent: this.#writer.end(last) })
    } catch (thrown) {
      this.#fail(undo === undefined ? thrown : await undo(thrown))
    } finally {
      clearInterval(beats)
      signal.removeEventListener('abort', onAbort)
    }
  }

  #fail(thrown: unknown): void {
    const error = this.#unread ? new AppError('client_closed_request', { message: this.#words.unread }) : toAppError(thrown)
    if (error.code === 'client_closed_request' && !this.#unread) this.#writer.close()
    else if (this.#writer.opened) this.#writer.end(this.#words.failed(error))
    this.#call.outcome({ ...(this.workerId === undefined ? {} : { workerId: this.workerId }), error })
    if (!this.#writer.opened) this.#reject(error)
  }

  #headers(): Record<string, string> {
    const headers: Record<string, string> = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' }
    if (this.workerId !== undefined) headers['x-worker-id'] = this.workerId
    return headers
  }
}
