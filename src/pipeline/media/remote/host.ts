// The worker's end: answers the request plane for one maker. A caller that cancels or is gone ends its job and frees its files.
import { AppError, toAppError } from '../../../lib/errors.ts'
import { log } from '../../../lib/log.ts'
import type { IncomingStream, PlaneService } from '../../../transport/request-plane.ts'
import type { EncodedFile, MediaListener, MediaMaker } from '../media.ts'
import {
  decodeHead,
  encodeEvent,
  encodePart,
  encodeValue,
  type FarFile,
  type MakeEvent,
  type MakeHead,
  operations,
  type PartHead,
  partBytes,
} from './protocol.ts'

export interface HostMakerOptions {
  /** Answered as control operation `card`: what a frontend with a fixed address asks. */
  card(): unknown
  /** True from the moment that nothing new may start; what runs goes on. */
  draining(): boolean
}

/** A service that runs jobs on `maker` for whoever opens a stream. */
export function hostMaker(maker: MediaMaker, options: HostMakerOptions): PlaneService {
  /** Files of running jobs that were not pulled yet. */
  const jobs = new Map<string, Blobs>()

  async function make(head: Uint8Array, stream: IncomingStream): Promise<void> {
    const { job, request, wants } = decodeHead<MakeHead>(head, ['job', 'request', 'wants'])
    if (options.draining())
      throw new AppError('engine_unavailable', { message: 'The worker takes nothing new: it is shutting down.', retryAfterSecs: 1 })
    if (jobs.has(job)) throw new AppError('engine_rejected', { message: `The job ${job} runs already.` })
    const blobs = new Blobs()
    jobs.set(job, blobs)
    try {
      const { files, ...made } = await maker.make(request, listener(stream, blobs, wants), stream.signal)
      if (stream.signal.aborted) return
      tell(stream, ['made', made, files.map((file) => blobs.keep(file))])
      // The caller cancels when it has pulled what it wants, or is gone.
      await aborted(stream.signal)
    } finally {
      jobs.delete(job)
    }
  }

  function part(head: Uint8Array, stream: IncomingStream): void {
    const { job, blob, start } = decodeHead<PartHead>(head, ['job', 'blob', 'start'])
    const bytes = jobs.get(job)?.take(blob, start)
    if (bytes === undefined) throw new AppError('media_not_found', { message: 'The file is not there (any more): its job is over.' })
    stream.send(encodePart(bytes))
    stream.end()
  }

  async function control(head: Uint8Array, stream: IncomingStream): Promise<void> {
    const { name, args } = decodeHead<{ name: string; args: Record<string, unknown> }>(head, ['name', 'args'])
    stream.send(encodeValue(name === 'card' ? options.card() : await maker.control(name, args)))
  }

  return (head, stream) => {
    const failed = (thrown: unknown) => stream.fail(reported(thrown))
    try {
      if (head[0] === operations.make) make(head, stream).then(() => stream.end(), failed)
      else if (head[0] === operations.control) control(head, stream).then(() => stream.end(), failed)
      else if (head[0] === operations.part) part(head, stream)
      else throw new AppError('engine_rejected', { message: 'This worker makes images or clips, it answers no text requests.' })
    } catch (thrown) {
      failed(thrown)
    }
  }
}

function listener(stream: IncomingStream, blobs: Blobs, wants: MakeHead['wants']): MediaListener {
  return {
    queued: (ahead) => tell(stream, ['queued', ahead]),
    started: () => tell(stream, ['started']),
    progress: (step, steps, output, fraction) => tell(stream, ['progress', step, steps, output, fraction]),
    ...(wants.includes('partial') && {
      partial: (output: number, index: number, file: EncodedFile) => tell(stream, ['partial', output, index, blobs.keep(file)]),
    }),
    ...(wants.includes('output') && {
      output: (index: number, file: EncodedFile) => tell(stream, ['output', index, blobs.keep(file)]),
    }),
    ...(wants.includes('frame') && {
      frame: (index: number, jpeg: Uint8Array) => tell(stream, ['frame', index, blobs.add(jpeg), jpeg.length]),
    }),
  }
}

/** Files by number. A file that is told twice (`output`, then `made`) has one number, and is pulled once. */
class Blobs {
  private readonly held = new Map<number, Uint8Array>()
  /** Weak: a file that was pulled is let go of as soon as its maker does. */
  private readonly told = new WeakMap<EncodedFile, FarFile>()
  private next = 0

  add(bytes: Uint8Array): number {
    this.held.set(this.next, bytes)
    return this.next++
  }

  keep(file: EncodedFile): FarFile {
    let far = this.told.get(file)
    if (far === undefined) {
      const { bytes, ...rest } = file
      far = { ...rest, blob: this.add(bytes), size: bytes.length }
      this.told.set(file, far)
    }
    return far
  }

  /** The part at `start`. The last one ends the keeping here: it cannot be asked for again. */
  take(blob: number, start: number): Uint8Array | undefined {
    const bytes = this.held.get(blob)
    if (bytes === undefined || start > bytes.length) return undefined
    if (start + partBytes >= bytes.length) this.held.delete(blob)
    return bytes.subarray(start, start + partBytes)
  }
}

function tell(stream: IncomingStream, event: MakeEvent): void {
  stream.send(encodeEvent(event))
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/** The cause stays in this process's log. */
function reported(thrown: unknown): AppError {
  const error = toAppError(thrown)
  if (error.code === 'internal_error') log.error({ err: error.cause ?? error }, 'a job of another process failed')
  return error
}
