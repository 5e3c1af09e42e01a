// Pictures as server-sent events, in OpenAI's shapes: previews while they are made, each picture when it is done, then the end of the stream.
// Progress and the place in the queue are comments, which every client passes over, unless the request asked for events.
import { AppError, toAppError } from '../../lib/errors.ts'
import type { EncodedFile, MediaListener } from '../../pipeline/media/media.ts'
import type { Call } from '../call.ts'
import { errorBody } from '../errors.ts'
import type { ImagesApi } from '../media/api.ts'
import { publicUrl } from '../media/public-url.ts'
import { SseWriter } from '../stream/sse-writer.ts'
import { MAX_MEDIA_UNREAD, mediaUnread } from '../stream/unread-budget.ts'
import { base64Of, completedBody, partialBody } from './answer.ts'
import type { ImageJob } from './request.ts'
import { startSaving } from './saved.ts'

/** A client that is so far behind gets no previews. */
const BEHIND = 1 << 20
/** Proxies close what is silent for a minute. */
const SILENCE_MS = 15_000

/** Resolves when the first event is there; rejects with an AppError when it failed before that. One that fails before the work is done leaves no file. */
export function streamAnswer(job: ImageJob, call: Call, api: ImagesApi): Promise<Response> {
  return new Promise((resolve, reject) => new ImageStream(job, call, api, resolve, reject).run())
}

class ImageStream {
  readonly #job: ImageJob
  readonly #call: Call
  readonly #api: ImagesApi
  readonly #reject: (error: AppError) => void
  readonly #stop = new AbortController()
  readonly #writer: SseWriter
  readonly #saving
  /** Pictures that are kept one after the other, in order. */
  #kept: Promise<void> = Promise.resolve()
  #told = 0
  #workerId: string | undefined
  #unread = false
  /** The work is over; its end may still wait for the client. */
  #done = false

  constructor(job: ImageJob, call: Call, api: ImagesApi, resolve: (response: Response) => void, reject: (error: AppError) => void) {
    this.#job = job
    this.#call = call
    this.#api = api
    this.#reject = reject
    this.#saving = startSaving(api.store, job)
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
    const alive = setInterval(() => this.#writer.write(': still here\n\n'), SILENCE_MS)
    try {
      const made = await this.#api.media.make(this.#job.request, this.#listener(), this.#stop.signal)
      this.#workerId = made.workerId
      for (let i = this.#told; i < made.files.length; i++) this.#output(i, made.files[i]!)
      await this.#kept
      if (this.#job.answer === 'url') await this.#saving.finish()
      if (this.#stop.signal.aborted) throw gone()
      this.#done = true
      this.#writer.end('')
      this.#call.outcome({ workerId: made.workerId })
    } catch (thrown) {
      // A picture that could not be kept ends the engine's work, which then only says that it was ended.
      const cause = await this.#kept.then(
        () => thrown,
        (first: unknown) => first,
      )
      await this.#saving.undo()
      this.#fail(cause)
    } finally {
      clearInterval(alive)
      signal.removeEventListener('abort', onAbort)
    }
  }

  #listener(): MediaListener {
    return {
      queued: (ahead) => this.#writer.write(`: queued, ${ahead} before it\n\n`),
      started: (workerId) => {
        this.#workerId = workerId
      },
      progress: (step, steps, output, fraction) => this.#progress(step, steps, output, fraction),
      partial: (output, index, file) => {
        if (this.#writer.unread < BEHIND) this.#event(partialBody(this.#job, output, index, file))
      },
      output: (index, file) => this.#output(index, file),
    }
  }

  #progress(step: number, steps: number, output: number, fraction: number): void {
    const rounded = Math.round(fraction * 10_000) / 10_000
    if (this.#job.progressEvents) this.#event({ type: `${this.#job.route}.progress`, image_index: output, step, steps, fraction: rounded })
    else this.#writer.write(`: image ${output}, step ${step} of ${steps}, ${Math.floor(rounded * 100)} %\n\n`)
  }

  #output(index: number, file: EncodedFile): void {
    this.#told = index + 1
    if (this.#job.answer === 'b64_json') {
      this.#event(completedBody(this.#job, index, file, base64Of(file)))
      return
    }
    this.#kept = this.#kept.then(async () => {
      const url = publicUrl(await this.#saving.save(index, file), this.#call)
      this.#event(completedBody(this.#job, index, file, { url }))
    })
    // It is awaited when the engine is done; a failure ends the engine's work at once.
    this.#kept.catch(() => this.#stop.abort())
  }

  #event(body: { type: string; [member: string]: unknown }): void {
    this.#writer.write(`event: ${body.type}\ndata: ${JSON.stringify(body)}\n\n`)
  }

  #fail(thrown: unknown): void {
    const error = this.#unread ? unread() : toAppError(thrown)
    if (error.code === 'client_closed_request' && !this.#unread) this.#writer.close()
    else if (this.#writer.opened) this.#writer.end(`event: error\ndata: ${JSON.stringify({ type: 'error', ...errorBody(error) })}\n\n`)
    this.#call.outcome({ ...(this.#workerId === undefined ? {} : { workerId: this.#workerId }), error })
    if (!this.#writer.opened) this.#reject(error)
  }

  #headers(): Record<string, string> {
    const headers: Record<string, string> = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' }
    if (this.#workerId !== undefined) headers['x-worker-id'] = this.#workerId
    return headers
  }
}

function gone(): AppError {
  return new AppError('client_closed_request', { message: 'The client closed the connection.' })
}

/** Told in the stream: without it, an answer cut in the middle would look like a whole one. */
function unread(): AppError {
  return new AppError('client_closed_request', {
    message: 'The pictures were not read for too long and the stream was cut here. Read them as they come.',
  })
}
