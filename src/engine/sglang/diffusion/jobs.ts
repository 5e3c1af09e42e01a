// The requests inside the engine: who listens, what was told, how each ends. Exactly one end each, and no frame stays behind.
import { rmSync } from 'node:fs'
import { AppError, requestCancelled } from '../../../lib/errors.ts'
import type { Frames } from '../../../media/frames.ts'
import type { DiffusionDone, DiffusionListener } from '../../diffusion/diffusion.ts'
import { type Done, type Failed, type FailureKind, type FramesTold, type Preview, type Step, toUs } from './messages.ts'
import { dropFrames, mapFrames } from './shared-frames.ts'

interface Job {
  listener: DiffusionListener
  signal: AbortSignal
  /** Output → its clip, told to the listener, who owns it. */
  clips: Map<number, Frames>
  /** Asks the engine to end it. */
  cancel(): void
  resolve(done: DiffusionDone): void
  reject(error: AppError): void
}

export class DiffusionJobs {
  private readonly running = new Map<number, Job>()
  private readonly idle = new Set<() => void>()
  private next = 1
  /** Where the bridge writes frames. */
  folders: readonly string[] = []

  get size(): number {
    return this.running.size
  }

  /** The new job's number, and how it ends; `cancel` asks the engine to end it when the signal is aborted. */
  open(listener: DiffusionListener, signal: AbortSignal, cancel: (job: number) => void): { job: number; ended: Promise<DiffusionDone> } {
    const job = this.next++
    const ended = new Promise<DiffusionDone>((resolve, reject) => {
      const abort = () => cancel(job)
      const leave = () => {
        signal.removeEventListener('abort', abort)
        this.running.delete(job)
        dropFrames(this.folders, job)
        if (this.running.size === 0) for (const tell of this.idle) tell()
      }
      this.running.set(job, {
        listener,
        signal,
        clips: new Map(),
        cancel: abort,
        resolve(done) {
          leave()
          if (signal.aborted) reject(requestCancelled())
          else resolve(done)
        },
        reject(error) {
          leave()
          reject(signal.aborted ? requestCancelled() : error)
        },
      })
      signal.addEventListener('abort', abort, { once: true })
    })
    return { job, ended }
  }

  /** One message of the bridge about a job. Those about jobs that have ended are left alone. */
  take(message: unknown[]): void {
    const job = this.running.get(message[1] as number)
    const type = message[0]
    if (!job) {
      if (type === toUs.frames) rmSync((message as FramesTold)[3], { force: true })
      return
    }
    if (type === toUs.done) {
      const [, , { stages, peakMemoryMb }] = message as Done
      job.resolve({ stages, ...(peakMemoryMb === null ? {} : { peakMemoryMb }) })
    } else if (type === toUs.failed) {
      const [, , kind, errorType, text] = message as Failed
      job.reject(failed(kind, errorType, text))
    } else if (!job.signal.aborted) {
      // Else nobody wants to know; frames that came are removed at the end.
      try {
        tell(job, message)
      } catch (thrown) {
        job.cancel()
        job.reject(new AppError('engine_failed', { message: 'What the engine made could not be taken.', cause: thrown }))
      }
    }
  }

  failAll(error: AppError): void {
    for (const job of [...this.running.values()]) job.reject(error)
  }

  /** All that run, for an engine that ends. */
  numbers(): number[] {
    return [...this.running.keys()]
  }

  /** Resolves when nothing runs, or after `deadlineMs`. */
  async drained(deadlineMs: number): Promise<void> {
    if (this.running.size === 0 || deadlineMs <= 0) return
    await new Promise<void>((done) => {
      const end = () => {
        clearTimeout(timer)
        this.idle.delete(end)
        done()
      }
      const timer = setTimeout(end, deadlineMs)
      this.idle.add(end)
    })
  }
}

function tell(job: Job, message: unknown[]): void {
  const type = message[0]
  if (type === toUs.step) {
    const [, , output, done, total] = message as Step
    job.listener.progress(output, done, total)
  } else if (type === toUs.preview) tellPreview(job.listener, message as Preview)
  else if (type === toUs.frames) {
    const [, , output, path, count, height, width, first, end] = message as FramesTold
    let clip = job.clips.get(output)
    if (!clip) {
      clip = mapFrames(path, count, height, width)
      job.clips.set(output, clip)
    }
    job.listener.frames(output, clip, first, end)
  }
}

function tellPreview(listener: DiffusionListener, [, , output, step, family, channels, height, width, data]: Preview): void {
  if (!listener.preview) return
  // A copy, because the bytes may begin at an odd place.
  const half = new Float16Array(new Uint8Array(data).buffer)
  listener.preview(output, step, { family, data: new Float32Array(half), channels, width, height })
}

const codes = {
  // Not by its own signal: the engine was told to stop.
  cancelled: 'shutting_down',
  rejected: 'engine_rejected',
  out_of_memory: 'out_of_memory',
  failed: 'engine_failed',
} as const satisfies Record<FailureKind, string>

function failed(kind: FailureKind, errorType: string, text: string): AppError {
  const said = `${errorType}${errorType && text ? ': ' : ''}${text}`
  const messages: Record<FailureKind, string> = {
    cancelled: 'The engine is shutting down.',
    rejected: text,
    out_of_memory: 'The GPU has not enough memory for this request. Ask for a smaller size, fewer frames or fewer outputs.',
    failed: `SGLang failed on this request: ${said || 'it gave no reason'}`,
  }
  return new AppError(codes[kind], { message: messages[kind], cause: new Error(said) })
}
