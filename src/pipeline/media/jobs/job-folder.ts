// Jobs on disk: one JSON file a job, replaced whole, so that a crash leaves the old or the new one.
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '../../../lib/errors.ts'
import type { JobStatus, MediaJob } from './job.ts'
import { alive, isProcess, type Owner, thisOwner } from './owner.ts'

/** A job as it lies on disk. */
interface Stored {
  v: 1
  owner: Owner
  job: MediaJob
}

export interface LoadedJob {
  job: MediaJob
  /** A running process has it: not ours to change. */
  foreign: boolean
}

const names = /^video[_-][0-9a-f]{32}\.json$/
const leftovers = /^video[_-][0-9a-f]{32}\.(\d+)\.tmp$/
const statuses: readonly JobStatus[] = ['queued', 'in_progress', 'completed', 'failed', 'cancelled']

export class JobFolder {
  readonly #path: string
  readonly #owner = thisOwner()
  /** Writes of one process happen in the order in which they were asked for. */
  #last: Promise<unknown> = Promise.resolve()

  /** Makes the folder, for this user only: prompts are private. Throws `storage_failed`. */
  constructor(path: string) {
    this.#path = path
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 })
    } catch (cause) {
      throw new AppError('storage_failed', { message: `The folder of the jobs, ${path}, cannot be made: ${why(cause)}.`, cause })
    }
  }

  /** All jobs there. What is no job is told to `onNotice` and left alone; halves that a crash left are removed. Throws `storage_failed`. */
  load(onNotice: (message: string, cause: unknown) => void): LoadedJob[] {
    const loaded: LoadedJob[] = []
    for (const name of this.#names()) {
      const path = join(this.#path, name)
      const half = leftovers.exec(name)
      if (half !== null && !isProcess(Number(half[1]))) rmSync(path, { force: true })
      if (!names.test(name)) continue
      try {
        const { job, owner } = parse(readFileSync(path, 'utf8'), name)
        const foreign = alive(owner) && !(owner.pid === this.#owner.pid && owner.born === this.#owner.born)
        loaded.push({ job, foreign })
      } catch (cause) {
        onNotice(`${path} is not a job and is left out`, cause)
      }
    }
    return loaded
  }

  /** Rejects with `storage_failed`; then the file is what it was before. */
  write(job: MediaJob): Promise<void> {
    return this.#inOrder(async () => {
      const whole = join(this.#path, `${job.id}.json`)
      const half = join(this.#path, `${job.id}.${process.pid}.tmp`)
      const stored: Stored = { v: 1, owner: this.#owner, job }
      try {
        const file = await open(half, 'w', 0o600)
        try {
          await file.writeFile(JSON.stringify(stored))
          await file.sync()
        } finally {
          await file.close()
        }
        await rename(half, whole)
      } catch (cause) {
        await rm(half, { force: true }).catch(() => {})
        throw new AppError('storage_failed', { message: `The job could not be written down: ${why(cause)}.`, cause })
      }
    })
  }

  /** Rejects with `storage_failed`; a job that is not there is fine. */
  remove(id: string): Promise<void> {
    return this.#inOrder(async () => {
      try {
        await rm(join(this.#path, `${id}.json`), { force: true })
      } catch (cause) {
        throw new AppError('storage_failed', { message: `The job could not be removed: ${why(cause)}.`, cause })
      }
    })
  }

  /** Resolves when everything asked for so far is on disk, or has failed. */
  async settled(): Promise<void> {
    await this.#last
  }

  #inOrder(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work)
    this.#last = done.catch(() => {})
    return done
  }

  #names(): string[] {
    try {
      return readdirSync(this.#path)
    } catch (cause) {
      throw new AppError('storage_failed', { message: `The folder of the jobs, ${this.#path}, cannot be read: ${why(cause)}.`, cause })
    }
  }
}

/** Throws when the text is not the job that its name says. */
function parse(text: string, name: string): Stored {
  const stored = JSON.parse(text) as Partial<Stored> | null
  const job = stored?.job
  const good =
    stored?.v === 1 &&
    typeof stored.owner?.pid === 'number' &&
    typeof job?.createdMs === 'number' &&
    `${job.id}.json` === name &&
    statuses.includes(job.status) &&
    Array.isArray(job.files)
  if (!good) throw new Error('it has another form')
  return stored as Stored
}

/** The system's word for it (ENOSPC, EACCES): paths and library texts are for the log. */
function why(cause: unknown): string {
  return (cause as NodeJS.ErrnoException | null)?.code ?? 'unknown cause'
}
