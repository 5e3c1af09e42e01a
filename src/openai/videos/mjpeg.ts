// POST /v1/videos/stream: the clip's frames as JPEGs, each a part of a multipart/x-mixed-replace answer as soon as it is made; <img> plays it.
import { AppError, toAppError } from '../../lib/errors.ts'
import { type Call, type Handler, takingForms } from '../call.ts'
import { invalid } from '../request/faults.ts'
import { MAX_MEDIA_UNREAD, mediaUnread } from '../stream/unread-budget.ts'
import type { VideosApi } from './api.ts'
import { FrameWriter } from './frame-writer.ts'
import { type Prepared, prepare } from './prepare.ts'

export function videoStreamHandler(api: VideosApi): Handler {
  return takingForms(async (call) => {
    const video = await prepare(call, api)
    if (video.request.outputs > 1) throw invalid('n', 'a stream of frames is one clip')
    if (video.body.background === true) throw invalid('background', 'a stream of frames is not a job; POST /v1/videos makes one')
    call.begin(video.shown.model, true)
    return frames(video, call, api)
  })
}

/** Resolves when the first frame is there; rejects with an AppError when it failed before that. */
function frames(video: Prepared, call: Call, api: VideosApi): Promise<Response> {
  return new Promise((resolve, reject) => {
    const stop = new AbortController()
    let workerId: string | undefined
    const writer = new FrameWriter(
      {
        open(body) {
          const headers: Record<string, string> = {
            'content-type': 'multipart/x-mixed-replace; boundary=frame',
            'cache-control': 'no-cache',
          }
          if (workerId !== undefined) headers['x-worker-id'] = workerId
          resolve(new Response(body, { headers }))
        },
        lost: () => stop.abort(),
      },
      MAX_MEDIA_UNREAD,
      mediaUnread,
    )
    const onAbort = () => stop.abort()
    if (call.signal.aborted) onAbort()
    else call.signal.addEventListener('abort', onAbort, { once: true })
    const compression = video.body.output_compression
    const request = { ...video.request, format: { type: 'mjpeg', ...(compression == null ? {} : { compression }) } as const }
    api.media
      .make(
        request,
        {
          started: (id) => {
            workerId = id
          },
          frame: (_index, jpeg) => writer.write(partHead(jpeg.byteLength), jpeg, lineEnd),
        },
        stop.signal,
      )
      .then((made) => {
        if (!writer.opened) throw new AppError('engine_failed', { message: 'The engine made no frame.' })
        call.outcome({ workerId: made.workerId, sent: writer.end(closing) })
      })
      .catch((thrown) => {
        const error = toAppError(thrown)
        call.outcome({ ...(workerId === undefined ? {} : { workerId }), error })
        if (writer.opened) writer.break()
        else reject(error)
      })
      .finally(() => call.signal.removeEventListener('abort', onAbort))
  })
}

const text = new TextEncoder()
const lineEnd = text.encode('\r\n')
const closing = text.encode('--frame--\r\n')

function partHead(bytes: number): Uint8Array {
  return text.encode(`--frame\r\nContent-Type: image/jpeg\r\nContent-Length: ${bytes}\r\n\r\n`)
}
