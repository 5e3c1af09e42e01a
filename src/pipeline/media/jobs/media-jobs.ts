// Videos made in the background: `create` answers at once, the job goes on whoever leaves, and its state outlives the server.
import { AppError, clientGone, toAppError } from '../../../lib/errors.ts'
import { newId } from '../../../lib/ids.ts'
import { within } from '../../../lib/within.ts'
import type { StoredFile } from '../../../media/store.ts'
import type { Made } from '../media.ts'
import { needRoom } from '../place.ts'
import { fileOf, noVideo } from './file-of.ts'
import { hasEnded, type JobEvent, type JobFile, jobError, jobStep, type MediaJob } from './job.ts'
import { JobFolder } from './job-folder.ts'
import type { MediaJobs } from './jobs.ts'
import { dropFiles, keepFiles } from './keep-files.ts'
import { completion, notTaken, queued } from './life.ts'
import type { MediaJobsOptions } from './options.ts'
import type { JobOrder, MadeOrder } from './order.ts'
import { type Page, type PageRequest, pageOf } from './page.ts'
import { overdue } from './retention.ts'

const SWEEP_MS = 60_000
/** At a stop, for what runs to notice. */
const LAST_MS = 1000

/** Reads the folder: what had ended is as it was, what waited or ran when its server died is failed with `server_restarted`. Throws `storage_failed`. */
export function mediaJobs(options: MediaJobsOptions): MediaJobs {
  return new Jobs(options)
}

interface Run {
  readonly stop: AbortController
  readonly over: Promise<void>
}

class Jobs implements MediaJobs {
  readonly #options: MediaJobsOptions
  readonly #keepMs: number
  readonly #now: () => number
  readonly #folder: JobFolder
  readonly #jobs = new Map<string, MediaJob>()
  readonly #runs = new Map<string, Run>()
  /** Jobs that are being removed: what the folder still has of them is nothing new. */
  readonly #leaving = new Set<string>()
  /** Jobs that are being written down for the first time. */
  readonly #beginnings = new Set<Promise<void>>()
  readonly #sweeper: ReturnType<typeof setInterval>
  /** Another living server makes some of the jobs in the folder: it may end, also without a word. */
  #foreign = false
  #lastCreatedMs = 0
  #refusing = false
  #closing: Promise<void> | undefined

  constructor(options: MediaJobsOptions) {
    this.#options = options
    this.#keepMs = options.keepMs ?? 24 * 3_600_000
    this.#now = options.now ?? Date.now
    this.#folder = new JobFolder(options.folder)
    this.#load()
    this.#sweeper = setInterval(() => {
      if (this.#foreign) this.#lookAgain()
      this.#sweep()
    }, options.sweepMs ?? SWEEP_MS)
    this.#sweeper.unref()
    this.#sweep()
  }

  async create(order: JobOrder): Promise<MediaJob> {
    if (this.#refusing) throw notTaken()
    const { model } = order.shown
    needRoom(this.#options.room?.(model), this.#unfinished(model), model)
    this.#lastCreatedMs = Math.max(this.#now(), this.#lastCreatedMs + 1)
    const job = queued(`video_${newId()}`, this.#lastCreatedMs, order.shown)
    this.#jobs.set(job.id, job)
    const beginning = this.#begin(job, order).finally(() => this.#beginnings.delete(beginning))
    this.#beginnings.add(beginning)
    await beginning
    return job
  }

  /** Writes the new job down and starts it. Rejects when there is to be none. */
  async #begin(job: MediaJob, order: JobOrder): Promise<void> {
    try {
      await this.#folder.write(job)
    } catch (thrown) {
      this.#jobs.delete(job.id)
      throw thrown
    }
    // Cancelled or removed while it was written down.
    if (this.#current(job.id) !== job) return
    if (this.#refusing) {
      await this.#forget(job).catch((cause: unknown) => this.#notice(`video ${job.id}, which was refused, stays on disk`, cause))
      throw notTaken()
    }
    const stop = new AbortController()
    this.#runs.set(job.id, { stop, over: this.#run(job.id, order, stop.signal) })
  }

  async adopt({ id, createdMs, shown, pathOf }: MadeOrder, made: Made, signal: AbortSignal): Promise<MediaJob> {
    const files = await keepFiles(made.files, (index, file) => pathOf(id, index, file), this.#options.store)
    if (signal.aborted) {
      await dropFiles(files, this.#options.store)
      throw clientGone()
    }
    const { expiresMs: _, ...done } = jobStep(queued(id, createdMs, shown), completion(made, files, this.#keepMs), this.#now())
    const job: MediaJob = { ...done, adopted: true }
    this.#jobs.set(id, job)
    void this.#write(job)
    this.#sweep()
    return job
  }

  get(id: string): MediaJob {
    const job = this.#jobs.get(id)
    if (job === undefined) throw noVideo(id)
    return job
  }

  list(request: PageRequest): Page {
    return pageOf(this.#jobs.values(), request)
  }

  async cancel(id: string): Promise<MediaJob> {
    const job = this.get(id)
    const cancelled = this.#tell(id, { kind: 'cancelled', keepMs: this.#keepMs })
    if (cancelled === undefined) return job
    this.#runs.get(id)?.stop.abort()
    await this.#write(cancelled)
    return cancelled
  }

  async remove(id: string): Promise<void> {
    const job = this.get(id)
    this.#runs.get(id)?.stop.abort()
    await this.#forget(job, job.files)
  }

  async content(id: string, index = 0): Promise<{ file: JobFile; stored: StoredFile }> {
    const file = fileOf(this.get(id), index)
    const stored = await this.#options.store.open(file.path)
    if (stored === undefined) throw new AppError('media_not_found', { message: 'The clip is not in the media store any more.' })
    return { file, stored }
  }

  counts(): Record<MediaJob['status'], number> {
    const counts = { queued: 0, in_progress: 0, completed: 0, failed: 0, cancelled: 0 }
    for (const job of this.#jobs.values()) counts[job.status]++
    return counts
  }

  refuse(): void {
    this.#refusing = true
  }

  close(deadlineMs: number): Promise<void> {
    this.refuse()
    this.#closing ??= this.#close(deadlineMs)
    return this.#closing
  }

  async #close(deadlineMs: number): Promise<void> {
    clearInterval(this.#sweeper)
    await within(LAST_MS, Promise.allSettled(this.#beginnings))
    await this.#runsOver(deadlineMs)
    const error = jobError(new AppError('shutting_down', { message: 'The server was stopped before the video was made. Create it again.' }))
    for (const [id, run] of this.#runs) {
      const failed = this.#tell(id, { kind: 'failed', error, keepMs: this.#keepMs })
      run.stop.abort()
      if (failed !== undefined) await this.#write(failed)
    }
    // What cannot be ended at once (a clip is being decoded) has nobody left to tell.
    await this.#runsOver(LAST_MS)
    await this.#folder.settled()
  }

  #runsOver(ms: number): Promise<void> {
    return within(ms, Promise.all([...this.#runs.values()].map((run) => run.over)))
  }

  #load(): void {
    const error = jobError(
      new AppError('server_restarted', { message: 'The server restarted before the video was made. Create it again.' }),
    )
    this.#foreign = false
    for (const { job, foreign } of this.#folder.load(this.#notice)) {
      if (this.#jobs.has(job.id) || this.#leaving.has(job.id)) continue
      if (foreign && !hasEnded(job)) {
        this.#foreign = true
        continue
      }
      const now = jobStep(job, { kind: 'failed', error, keepMs: this.#keepMs }, this.#now())
      this.#jobs.set(job.id, now)
      this.#lastCreatedMs = Math.max(this.#lastCreatedMs, job.createdMs)
      if (now !== job) void this.#write(now)
    }
  }

  #lookAgain(): void {
    try {
      this.#load()
    } catch (cause) {
      this.#notice('the folder of video jobs cannot be read', cause)
    }
  }

  /** Resolves when the job has ended, whatever its end. */
  async #run(id: string, order: JobOrder, signal: AbortSignal): Promise<void> {
    let files: readonly JobFile[] = []
    try {
      const made = await this.#options.pipeline.make(
        order.request,
        {
          queued: (ahead) => void this.#tell(id, { kind: 'waiting', ahead }),
          started: (workerId) => void this.#tell(id, { kind: 'started', workerId }),
          progress: (_step, _steps, _output, fraction) => void this.#tell(id, { kind: 'progress', fraction }),
        },
        signal,
      )
      signal.throwIfAborted()
      files = await keepFiles(made.files, (index, file) => order.pathOf(id, index, file), this.#options.store)
      await this.#complete(id, completion(made, files, this.#keepMs))
    } catch (thrown) {
      await this.#fail(id, thrown)
    } finally {
      this.#runs.delete(id)
    }
    // Cancelled, removed or failed meanwhile: nothing of it may be found.
    if (this.#jobs.get(id)?.status !== 'completed') await dropFiles(files, this.#options.store)
    this.#sweep()
  }

  /** First on disk, then told: a completed job never becomes anything else. */
  async #complete(id: string, event: JobEvent): Promise<void> {
    const job = this.#current(id)
    if (job === undefined) return
    const completed = jobStep(job, event, this.#now())
    await this.#folder.write(completed)
    if (this.#current(id) !== undefined) this.#jobs.set(id, completed)
  }

  async #fail(id: string, thrown: unknown): Promise<void> {
    const error = toAppError(thrown)
    if (this.#current(id) === undefined) return
    if (error.status >= 500) this.#notice(`video ${id} failed: ${error.message}`, error.cause ?? error)
    const failed = this.#tell(id, { kind: 'failed', error: jobError(error), keepMs: this.#keepMs })
    if (failed !== undefined) await this.#write(failed)
  }

  /** The job when it has not ended. */
  #current(id: string): MediaJob | undefined {
    const job = this.#jobs.get(id)
    return job === undefined || hasEnded(job) ? undefined : job
  }

  #tell(id: string, event: JobEvent): MediaJob | undefined {
    const job = this.#current(id)
    if (job === undefined) return undefined
    const next = jobStep(job, event, this.#now())
    this.#jobs.set(id, next)
    return next
  }

  /** Where a lost write does no harm: the file then says what a restart makes the same of. */
  async #write(job: MediaJob): Promise<void> {
    await this.#folder.write(job).catch((cause: unknown) => this.#notice(`the end of video ${job.id} is not on disk`, cause))
  }

  /**
   * From here on the job's run finds none and keeps nothing. When something of it cannot be removed, the job is there again, ended: its removal
   * can be asked for once more.
   */
  async #forget(job: MediaJob, files = job.adopted === true ? [] : job.files): Promise<void> {
    const { id } = job
    this.#jobs.delete(id)
    this.#leaving.add(id)
    try {
      // The job last: it alone tells where its files are.
      const removed = await Promise.allSettled(files.map(({ path }) => this.#options.store.remove(path)))
      for (const one of removed) if (one.status === 'rejected') throw one.reason
      await this.#folder.remove(id)
    } catch (thrown) {
      this.#jobs.set(id, jobStep(job, { kind: 'cancelled', keepMs: this.#keepMs }, this.#now()))
      throw thrown
    } finally {
      this.#leaving.delete(id)
    }
  }

  #sweep(): void {
    for (const id of overdue(this.#jobs.values(), this.#options.keepJobs ?? 1000, this.#now()))
      void this.#forget(this.#jobs.get(id)!).catch((cause: unknown) =>
        this.#notice(`what is left of video ${id} could not be removed`, cause),
      )
  }

  #unfinished(model: string): number {
    return [...this.#jobs.values()].filter((job) => !hasEnded(job) && job.model === model).length
  }

  readonly #notice = (message: string, cause: unknown): void => this.#options.onNotice?.(message, cause)
}
