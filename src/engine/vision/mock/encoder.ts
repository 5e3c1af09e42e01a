// The mock encoder: deterministic rows in the time that a tower would take, one picture after the other, and faults on demand.
import { AppError } from '../../../lib/errors.ts'
import type { MediaItem } from '../../types.ts'
import { embeddings, patchesOf, rowsOf } from '../embeddings.ts'
import type { Embeddings, EmbeddingType, EncoderInfo, VisionEncoder } from '../vision.ts'
import { parseVisionFaults, type VisionFaults } from './faults.ts'
import { mockRows } from './rows.ts'

export interface MockEncoderOptions {
  modelPath: string
  /** Values in a row. */
  dim: number
  type?: EmbeddingType
  /** Patches that one row stands for. */
  patchesPerRow?: number
  /** How long a picture takes, besides `msPerPatch` for each of its patches. */
  msPerPicture?: number
  msPerPatch?: number
  /** Pictures that are worked on side by side. */
  parallel?: number
  /** It shows life (`heardAt`) until it hangs. */
  alive?: boolean
  /** Faults in the words of faults.ts. */
  failure?: string
}

export interface MockEncoder extends VisionEncoder {
  /** Pictures encoded so far. */
  readonly encoded: number
  /** Dies now; back after `restartMs`, or by `revive`. */
  die(): void
  /** Answers nothing from now on until `revive`, and stays `ready`. */
  hang(): void
  revive(): void
}

interface Job {
  item: MediaItem
  patches: number
  resolve(result: Embeddings): void
  reject(error: AppError): void
}

/** Rejects bad `failure` words with `invalid_setting`. */
export function mockEncoder(options: MockEncoderOptions): MockEncoder {
  return new Mock(options, parseVisionFaults(options.failure ?? ''))
}

class Mock implements MockEncoder {
  readonly info: EncoderInfo
  ready = false
  encoded = 0
  private readonly options: MockEncoderOptions
  private readonly faults: VisionFaults
  private readonly listeners = new Set<Parameters<VisionEncoder['on']>[0]>()
  private readonly waiting: Job[] = []
  private readonly running = new Map<Job, ReturnType<typeof setTimeout>>()
  private hanging = false
  private taken = 0
  private hungAt = 0
  private revival: ReturnType<typeof setTimeout> | undefined
  private stopped = false

  constructor(options: MockEncoderOptions, faults: VisionFaults) {
    const { modelPath, dim, type = 'float32', patchesPerRow = 4 } = options
    this.options = options
    this.faults = faults
    this.info = { modelPath, domain: `mock:${modelPath}:${dim}:${type}`, dim, type, patchesPerRow }
  }

  async start(): Promise<EncoderInfo> {
    if (this.faults.slowStartMs > 0) await Bun.sleep(this.faults.slowStartMs)
    if (this.faults.failStart) throw new AppError('sglang_failed', { message: 'The mock encoder was told not to start (fail-start).' })
    this.stopped = false
    if (!this.ready) this.become(true, 'started')
    return this.info
  }

  encode(item: MediaItem, signal: AbortSignal): Promise<Embeddings> {
    if (signal.aborted) return Promise.reject(cancelled())
    if (!this.ready) return Promise.reject(gone())
    return new Promise((resolve, reject) => {
      const job: Job = {
        item,
        patches: patchesOf(item),
        resolve(result) {
          signal.removeEventListener('abort', onAbort)
          resolve(result)
        },
        reject(error) {
          signal.removeEventListener('abort', onAbort)
          reject(error)
        },
      }
      const onAbort = () => {
        this.drop(job)
        job.reject(cancelled())
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.waiting.push(job)
      this.next()
    })
  }

  get heardAt(): number | undefined {
    if (this.options.alive !== true) return undefined
    return this.hanging ? this.hungAt : performance.now()
  }

  patchesInFlight(): number {
    let sum = 0
    for (const job of this.waiting) sum += job.patches
    for (const job of this.running.keys()) sum += job.patches
    return sum
  }

  on(listener: Parameters<VisionEncoder['on']>[0]): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  async stop(): Promise<void> {
    this.stopped = true
    clearTimeout(this.revival)
    if (this.ready) this.become(false, 'stopped')
    this.failAll()
  }

  die(): void {
    if (!this.ready) return
    this.become(false, 'died')
    this.failAll()
    clearTimeout(this.revival)
    if (Number.isFinite(this.faults.restartMs)) this.revival = setTimeout(() => this.revive(), this.faults.restartMs)
  }

  hang(): void {
    this.hanging = true
    this.hungAt = performance.now()
    for (const timer of this.running.values()) clearTimeout(timer)
  }

  revive(): void {
    if (this.stopped) return
    clearTimeout(this.revival)
    if (this.hanging) {
      this.hanging = false
      for (const job of this.running.keys()) this.run(job)
      this.next()
    }
    if (!this.ready) this.become(true, 'restarted')
  }

  private next(): void {
    while (!this.hanging && this.running.size < (this.options.parallel ?? 1)) {
      const job = this.waiting.shift()
      if (job === undefined) return
      if (this.taken++ >= this.faults.hangAfter) {
        this.running.set(
          job,
          setTimeout(() => {}, 0),
        )
        this.hang()
        return
      }
      this.run(job)
    }
  }

  private run(job: Job): void {
    const { msPerPicture = 0, msPerPatch = 0 } = this.options
    this.running.set(
      job,
      setTimeout(() => this.done(job), msPerPicture + msPerPatch * job.patches),
    )
  }

  private done(job: Job): void {
    this.running.delete(job)
    const count = ++this.encoded
    const { errorEvery, shortEvery, dieAfter } = this.faults
    if (errorEvery > 0 && count % errorEvery === 0) {
      job.reject(new AppError('engine_failed', { message: 'The mock encoder was told to fail this picture (error).' }))
    } else {
      const { item } = job
      const { domain, dim, type } = this.info
      const rows = rowsOf(item, this.info) - (shortEvery > 0 && count % shortEvery === 0 ? 1 : 0)
      job.resolve(embeddings(mockRows(`${domain}\n${item.hash}`, rows, dim, type), dim, type, item.grid))
    }
    if (count === dieAfter) this.die()
    else this.next()
  }

  private drop(job: Job): void {
    const at = this.waiting.indexOf(job)
    if (at >= 0) this.waiting.splice(at, 1)
    clearTimeout(this.running.get(job))
    if (this.running.delete(job)) this.next()
  }

  private failAll(): void {
    const jobs = [...this.running.keys(), ...this.waiting]
    for (const timer of this.running.values()) clearTimeout(timer)
    this.running.clear()
    this.waiting.length = 0
    for (const job of jobs) job.reject(gone())
  }

  private become(ready: boolean, reason: string): void {
    this.ready = ready
    for (const listener of this.listeners) listener({ ready, reason, died: !ready && !this.stopped })
  }
}

function gone(): AppError {
  return new AppError('engine_unavailable', { message: 'The vision encoder is not running.', retryAfterSecs: 1 })
}

function cancelled(): AppError {
  return new AppError('client_closed_request', { message: 'The request was cancelled.' })
}
