// Pictures as server-sent events, in OpenAI's shapes: previews while they are made, each picture when it is done, then the end of the stream.
// Progress and the place in the queue are comments, which every client passes over, unless the request asked for events.
import type { EncodedFile, MediaListener } from '../../pipeline/media/media.ts'
import type { Call } from '../call.ts'
import { errorBody } from '../errors.ts'
import type { ImagesApi } from '../media/api.ts'
import { MediaStream, SILENCE_MS, type StreamWords } from '../media/media-stream.ts'
import { publicUrl } from '../media/public-url.ts'
import { base64Of } from '../media/shown.ts'
import { completedBody, partialBody } from './answer.ts'
import type { ImageJob } from './request.ts'
import { startSaving } from './saved.ts'

const words: StreamWords = {
  failed: (error) => `event: error\ndata: ${JSON.stringify({ type: 'error', ...errorBody(error) })}\n\n`,
  unread: 'The pictures were not read for too long and the stream was cut here. Read them as they come.',
}

/** Resolves when the first event is there; rejects with an AppError when it failed before that. One that fails before the work is done leaves no file. */
export function streamAnswer(job: ImageJob, call: Call, api: ImagesApi): Promise<Response> {
  const stream = new MediaStream(call, words)
  const pictures = new Pictures(job, call, api, stream)
  void stream.run({
    everyMs: SILENCE_MS,
    beat: () => stream.write(': still here\n\n'),
    work: (signal) => pictures.make(signal),
    undo: (thrown) => pictures.undo(thrown),
  })
  return stream.response
}

class Pictures {
  readonly #job: ImageJob
  readonly #call: Call
  readonly #api: ImagesApi
  readonly #stream: MediaStream
  readonly #saving
  /** Pictures that are kept one after the other, in order. */
  #kept: Promise<void> = Promise.resolve()
  #told = 0

  constructor(job: ImageJob, call: Call, api: ImagesApi, stream: MediaStream) {
    this.#job = job
    this.#call = call
    this.#api = api
    this.#stream = stream
    this.#saving = startSaving(api.store, job)
  }

  async make(signal: AbortSignal): Promise<{ last: string; workerId: string }> {
    const { workerId, files } = await this.#api.media.make(this.#job.request, this.#listener(), signal)
    this.#stream.workerId = workerId
    for (let i = this.#told; i < files.length; i++) this.#output(i, files[i]!)
    await this.#kept
    if (this.#job.answer === 'url') await this.#saving.finish()
    return { last: '', workerId }
  }

  /** A picture that could not be kept ends the engine's work, which then only says that it was ended: the first failure is the cause. */
  async undo(thrown: unknown): Promise<unknown> {
    const cause = await this.#kept.then(
      () => thrown,
      (first: unknown) => first,
    )
    await this.#saving.undo()
    return cause
  }

  #listener(): MediaListener {
    return {
      queued: (ahead) => this.#stream.write(`: queued, ${ahead} before it\n\n`),
      started: (workerId) => {
        this.#stream.workerId = workerId
      },
      progress: (step, steps, output, fraction) => this.#progress(step, steps, output, fraction),
      partial: (output, index, file) => {
        if (!this.#stream.behind) this.#event(partialBody(this.#job, output, index, file))
      },
      output: (index, file) => this.#output(index, file),
    }
  }

  #progress(step: number, steps: number, output: number, fraction: number): void {
    const rounded = Math.round(fraction * 10_000) / 10_000
    if (this.#job.progressEvents) this.#event({ type: `${this.#job.route}.progress`, image_index: output, step, steps, fraction: rounded })
    else this.#stream.write(`: image ${output}, step ${step} of ${steps}, ${Math.floor(rounded * 100)} %\n\n`)
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
    this.#kept.catch(() => this.#stream.stop())
  }

  #event(body: { type: string; [member: string]: unknown }): void {
    this.#stream.write(`event: ${body.type}\ndata: ${JSON.stringify(body)}\n\n`)
  }
}
