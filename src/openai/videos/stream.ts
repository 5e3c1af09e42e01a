// A clip's progress as server-sent events in the shape of Dynamo's answer: `progress` grows, the last event is the whole answer, then [DONE].
// The first event waits for the first step, so that a refusal still has its own status; a long wait in the queue is told as one.
import { newId } from '../../lib/ids.ts'
import type { MediaListener } from '../../pipeline/media/media.ts'
import type { Call } from '../call.ts'
import { errorEvent } from '../errors.ts'
import { MediaStream, SILENCE_MS, type StreamWords } from '../media/media-stream.ts'
import { base64Of } from '../media/shown.ts'
import type { VideosApi } from './api.ts'
import { finish } from './finish.ts'
import type { Prepared } from './prepare.ts'

const words: StreamWords = {
  failed: (error) => `${errorEvent(error)}data: [DONE]\n\n`,
  unread: 'The video was not read for too long and the stream was cut here. Read it as it comes.',
}

/** Resolves when the first event is there; rejects with an AppError when it failed before that. One that fails before the work is done leaves no file. */
export function streamAnswer(video: Prepared, call: Call, api: VideosApi): Promise<Response> {
  const stream = new MediaStream(call, words)
  const clip = new Clip(video, call, api, stream)
  void stream.run({
    everyMs: api.keepAliveMs ?? SILENCE_MS,
    beat: () => clip.breakSilence(),
    work: (signal) => clip.make(signal),
  })
  return stream.response
}

class Clip {
  readonly #video: Prepared
  readonly #call: Call
  readonly #api: VideosApi
  readonly #stream: MediaStream
  readonly #id = `video-${newId()}`
  readonly #createdMs = Date.now()
  #ahead: number | undefined
  #progress = -1
  #silent = true

  constructor(video: Prepared, call: Call, api: VideosApi, stream: MediaStream) {
    this.#video = video
    this.#call = call
    this.#api = api
    this.#stream = stream
  }

  async make(signal: AbortSignal): Promise<{ last: string; workerId: string }> {
    const made = await this.#api.media.make(this.#video.request, this.#listener(), signal)
    const body = await finish(this.#id, this.#createdMs, this.#video, made, this.#call, this.#api, signal)
    return { last: `data: ${JSON.stringify(body)}\n\ndata: [DONE]\n\n`, workerId: made.workerId }
  }

  breakSilence(): void {
    if (this.#silent) {
      if (this.#stream.workerId === undefined && !this.#stream.opened) this.#queued()
      else this.#stream.write(': still here\n\n')
    }
    this.#silent = true
  }

  #listener(): MediaListener {
    return {
      queued: (ahead) => {
        this.#ahead = ahead
        if (this.#stream.opened) this.#queued()
      },
      started: (workerId) => {
        this.#stream.workerId = workerId
      },
      progress: (_step, _steps, _output, fraction) => {
        // The last percent is for what follows the denoising.
        const progress = Math.min(99, Math.floor(fraction * 100))
        if (progress <= this.#progress) return
        this.#progress = progress
        this.#event('in_progress')
      },
      partial: (index, number, file) => {
        if (this.#stream.behind) return
        this.#event('in_progress', {
          partial: { index, partial_image_index: number, output_format: file.extension, ...base64Of(file) },
        })
      },
    }
  }

  #queued(): void {
    this.#event('queued', this.#ahead === undefined ? {} : { queue_position: this.#ahead })
  }

  #event(status: 'queued' | 'in_progress', more: object = {}): void {
    this.#silent = false
    const { model } = this.#video.shown
    const created = Math.floor(this.#createdMs / 1000)
    const body = { id: this.#id, object: 'video', model, status, progress: Math.max(0, this.#progress), created, data: [], ...more }
    this.#stream.write(`data: ${JSON.stringify(body)}\n\n`)
  }
}
