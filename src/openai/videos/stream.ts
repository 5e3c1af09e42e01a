// A clip's progress as server-sent events in the shape of Dynamo's answer: `progress` grows, the last event is the whole answer, then [DONE].
// The first event waits for the first step, so that a refusal still has its own status; a long wait in the queue is told as one.
import { AppError, toAppError } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import type { EncodedFile } from '../../pipeline/media/media.ts'
import type { Call } from '../call.ts'
import { errorEvent } from '../errors.ts'
import { SseWriter } from '../stream/sse-writer.ts'
import { MAX_MEDIA_UNREAD, mediaUnread } from '../stream/unread-budget.ts'
import type { VideosApi } from './api.ts'
import { finish } from './finish.ts'
import type { Prepared } from './prepare.ts'
import { base64Of } from './shape.ts'

/** A client that is so far behind gets no previews. */
const BEHIND = 1 << 20
/** Proxies close what is silent for a minute. */
const SILENCE_MS = 15_000

/** Resolves when the first event is there; rejects with an AppError when it failed before that. One that fails before the work is done leaves no file. */
export function streamAnswer(video: Prepared, call: Call, api: VideosApi): Promise<Response> {
  return new Promise((resolve, reject) => void new VideoStream(video, call, api, resolve, reject).run())
}

class VideoStream {
  readonly #video: Prepared
  readonly #call: Call
  readonly #api: VideosApi
  readonly #reject: (error: AppError) => void
  readonly #writer: SseWriter
  readonly #stop = new AbortController()
  readonly #id = `video-${newId()}`
  readonly #createdMs = Date.now()
  #workerId: string | undefined
  #ahead: number | undefined
  #progress = -1
  #silent = true
  #unread = false
  /** The work is over; its end may still wait for the client. */
  #done = false

  constructor(video: Prepared, call: Call, api: VideosApi, resolve: (response: Response) => void, reject: (error: AppError) => void) {
    this.#video = video
    this.#call = call
    this.#api = api
    this.#reject = reject
    this.#writer = new SseWriter(
      {
        open: (body) => resolve(new Response(body, { headers: this.#headers() })),
        overflow: () => {
          this.#unread = true
          this.#stop.abort()
          if (this.#done) this.#fail(unread())
        },
      },
      { maxUnread: MAX_MEDIA_UNREAD, budget: mediaUnread },
    )
  }

  async run(): Promise<void> {
    const { signal } = this.#call
    const onAbort = () => this.#stop.abort()
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
    const alive = setInterval(() => this.#breakSilence(), this.#api.keepAliveMs ?? SILENCE_MS)
    try {
      const made = await this.#api.media.make(this.#video.request, this.#listener(), this.#stop.signal)
      const body = await finish(this.#id, this.#createdMs, this.#video, made, this.#call, this.#api, this.#stop.signal)
      if (this.#stop.signal.aborted) throw new AppError('client_closed_request', { message: 'The client closed the connection.' })
      this.#done = true
      this.#writer.end(`data: ${JSON.stringify(body)}\n\ndata: [DONE]\n\n`)
      this.#call.outcome({ workerId: made.workerId })
    } catch (thrown) {
      this.#fail(thrown)
    } finally {
      clearInterval(alive)
      signal.removeEventListener('abort', onAbort)
    }
  }

  #listener() {
    return {
      queued: (ahead: number) => {
        this.#ahead = ahead
        if (this.#writer.opened) this.#queued()
      },
      started: (workerId: string) => {
        this.#workerId = workerId
      },
      progress: (_step: number, _steps: number, _output: number, fraction: number) => {
        // The last percent is for what follows the denoising.
        const progress = Math.min(99, Math.floor(fraction * 100))
        if (progress <= this.#progress) return
        this.#progress = progress
        this.#event('in_progress')
      },
      partial: (index: number, number: number, file: EncodedFile) => {
        if (this.#writer.unread >= BEHIND) return
        const partial = { index, partial_image_index: number, output_format: file.extension, b64_json: base64Of(file) }
        this.#event('in_progress', { partial })
      },
    }
  }

  #breakSilence(): void {
    if (this.#silent) {
      if (this.#workerId === undefined && !this.#writer.opened) this.#queued()
      else this.#writer.write(': still here\n\n')
    }
    this.#silent = true
  }

  #queued(): void {
    this.#event('queued', this.#ahead === undefined ? {} : { queue_position: this.#ahead })
  }

  #event(status: 'queued' | 'in_progress', more: object = {}): void {
    this.#silent = false
    const { model } = this.#video.shown
    const created = Math.floor(this.#createdMs / 1000)
    const body = { id: this.#id, object: 'video', model, status, progress: Math.max(0, this.#progress), created, data: [], ...more }
    this.#writer.write(`data: ${JSON.stringify(body)}\n\n`)
  }

  #fail(thrown: unknown): void {
    const error = this.#unread ? unread() : toAppError(thrown)
    if (error.code === 'client_closed_request' && !this.#unread) this.#writer.close()
    else if (this.#writer.opened) this.#writer.end(`${errorEvent(error)}data: [DONE]\n\n`)
    this.#call.outcome({ ...(this.#workerId === undefined ? {} : { workerId: this.#workerId }), error })
    if (!this.#writer.opened) this.#reject(error)
  }

  #headers(): Record<string, string> {
    const headers: Record<string, string> = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' }
    if (this.#workerId !== undefined) headers['x-worker-id'] = this.#workerId
    return headers
  }
}

/** Told in the stream: without it, an answer cut in the middle would look like a whole one. */
function unread(): AppError {
  return new AppError('client_closed_request', {
    message: 'The video was not read for too long and the stream was cut here. Read it as it comes.',
  })
}
