// Our own vision encoder: a tower that export-vision wrote, in a process of its own. Here is what waits, what runs and what is given up; which pictures go
// together is queue.ts, what happens in the process is process.ts.
import { createHash } from 'node:crypto'
import { AppError, type ErrorCode, errorCodes } from '../../../lib/errors.ts'
import type { Backend } from '../../../media/vision/vision.ts'
import { type Kept, keepAlive } from '../../supervisor.ts'
import type { MediaItem } from '../../types.ts'
import { patchesOf } from '../embeddings.ts'
import type { Embeddings, EmbeddingType, EncoderInfo, VisionEncoder } from '../vision.ts'
import { startProcess, type TowerProcess } from './child.ts'
import type { Clips, FromProcess, Opened, Stages } from './messages.ts'
import { nextBatch } from './queue.ts'
import type { VisionDevice } from './runtime.ts'

export interface OnnxEncoderOptions {
  /** Folder of the model: config.json and preprocessor_config.json. */
  modelPath: string
  /** File of export-vision. */
  tower: string
  device: VisionDevice | 'auto'
  /** Cores for the tower on the CPU; 0: ONNX Runtime's choice. */
  threads: number
  /** Of the rows; computed is in float32. */
  type: EmbeddingType
  /** Whose resizing is followed. */
  backend: Backend
  /** `sglang`: a clip becomes what SGLang's own tower makes of it, so that answers do not depend on where the tower runs. */
  clips: Clips
  /** Pixels of a file; a larger one is refused. */
  maxPixels: number
  /** Patches of a batch of several pictures of one size; a larger picture runs alone. */
  batchPatches: number
  /** Words that start this program with runEncoderProcess (cli: `vision-process`). */
  command: readonly string[]
  /** The whole environment of that process. */
  env: Readonly<Record<string, string>>
  /** Hears how long each picture took, for metrics. */
  observe?(stages: Stages, patches: number): void
}

export const usualLimits = { maxPixels: 100e6, batchPatches: 4096 } as const

interface Job {
  id: number
  item: MediaItem
  grid: MediaItem['grid']
  patches: number
  /** Nobody waits for it any more. */
  settled: boolean
  resolve(result: Embeddings): void
  reject(error: AppError): void
}

/** One runs and one is being decoded. */
const batchesAtOnce = 2

/** `pid`: of its process, while there is one. */
export function onnxEncoder(options: OnnxEncoderOptions): VisionEncoder & { readonly pid: number | undefined } {
  return new OnnxEncoder(options)
}

class OnnxEncoder implements VisionEncoder {
  ready = false
  private known: EncoderInfo | undefined
  private readonly options: OnnxEncoderOptions
  private readonly listeners = new Set<Parameters<VisionEncoder['on']>[0]>()
  private readonly waiting: Job[] = []
  /** What the process has and has not answered, by id, and how many of its batch are open. */
  private readonly sent = new Map<number, { job: Job; batch: { open: number } }>()
  private batches = 0
  private process: TowerProcess | undefined
  private kept: Kept | undefined
  private stack = true
  private stopped = false
  private nextId = 1

  constructor(options: OnnxEncoderOptions) {
    this.options = options
  }

  get info(): EncoderInfo {
    if (this.known === undefined) throw new Error('an encoder has no facts before it has started')
    return this.known
  }

  get pid(): number | undefined {
    return this.process?.pid
  }

  async start(): Promise<EncoderInfo> {
    this.stopped = false
    const { died } = await this.open()
    this.kept = keepAlive(
      { start: () => this.open(), onDown: (reason, delayMs) => this.become(false, `${reason}; next try in ${Math.round(delayMs)} ms`) },
      died,
    )
    return this.info
  }

  encode(item: MediaItem, signal: AbortSignal): Promise<Embeddings> {
    if (signal.aborted) return Promise.reject(cancelled())
    if (!this.ready) return Promise.reject(gone())
    const patches = patchesOf(item)
    return new Promise((resolve, reject) => {
      const job: Job = { id: this.nextId++, item, grid: item.grid, patches, settled: false, resolve: () => {}, reject: () => {} }
      const onAbort = () => this.drop(job)
      const settle = () => {
        job.settled = true
        signal.removeEventListener('abort', onAbort)
      }
      job.resolve = (result) => {
        settle()
        resolve(result)
      }
      job.reject = (error) => {
        settle()
        reject(error)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.waiting.push(job)
      this.next()
    })
  }

  patchesInFlight(): number {
    let sum = 0
    for (const job of this.waiting) sum += job.patches
    for (const { job } of this.sent.values()) if (!job.settled) sum += job.patches
    return sum
  }

  get heardAt(): number | undefined {
    return this.process?.heardAt
  }

  on(listener: Parameters<VisionEncoder['on']>[0]): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  async stop(): Promise<void> {
    this.stopped = true
    this.kept?.end()
    const process = this.process
    this.become(false, 'stopped')
    process?.kill()
    await process?.exited
  }

  /** Starts the process; `died` is told when it ends after it was ready. */
  private async open(): Promise<{ died: Promise<string> }> {
    const { command, env, tower, modelPath, device, threads, type, backend, clips, maxPixels } = this.options
    const opened = Promise.withResolvers<Opened>()
    const process = startProcess(command, env, (head, body) => {
      if (head.kind === 'open') opened.resolve(head)
      else if (head.kind === 'refused') opened.reject(refused(head))
      else this.answered(head, body)
    })
    this.process = process
    void process.exited.then((reason) =>
      opened.reject(new AppError('engine_failed', { message: `The vision encoder did not start: ${reason}.` })),
    )
    void process.send({ kind: 'open', tower, modelPath, device, threads, type, backend, clips, maxPixels })
    let facts: Opened
    try {
      facts = await opened.promise
    } catch (thrown) {
      process.kill()
      await process.exited
      throw thrown
    }
    // A GPU's kernels are chosen by the number of rows, so that company would change a picture's bits.
    this.stack = facts.device === 'cpu'
    this.known = encoderInfo(this.options, facts)
    const died = process.exited.then((reason) => {
      this.process = undefined
      this.become(false, reason)
      return reason
    })
    if (this.stopped) process.kill()
    else this.become(true, `runs on ${facts.device}${facts.fused ? '' : ' in plain steps'}`)
    return { died }
  }

  private next(): void {
    while (this.ready && this.batches < batchesAtOnce && this.waiting.length > 0) {
      const chosen = nextBatch(this.waiting, { batchPatches: this.options.batchPatches, stack: this.stack })
      const jobs = chosen.map((i) => this.waiting[i]!)
      for (const i of chosen.reverse()) this.waiting.splice(i, 1)
      const batch = { open: jobs.length }
      const files: Uint8Array[] = []
      const tasks = jobs.map((job) => {
        this.sent.set(job.id, { job, batch })
        const own = job.item.frames ?? [job.item.file]
        files.push(...own)
        // Sounds go to no tower of ours.
        const kind: 'image' | 'video' = job.item.kind === 'video' ? 'video' : 'image'
        return { id: job.id, kind, grid: job.grid, sizes: own.map((file) => file.length) }
      })
      this.batches++
      void this.process?.send({ kind: 'batch', tasks }, files)
    }
  }

  private answered(head: Extract<FromProcess, { kind: 'rows' | 'failed' }>, bytes: Uint8Array): void {
    const sent = this.sent.get(head.id)
    if (sent === undefined) return
    this.sent.delete(head.id)
    const { job, batch } = sent
    if (--batch.open === 0) this.batches--
    if (!job.settled) {
      if (head.kind === 'failed') job.reject(new AppError(codeOf(head.code), { message: head.message }))
      else {
        const { rows, grid, itemHash, stages } = head
        this.options.observe?.(stages, job.patches)
        job.resolve({ rows, dim: this.info.dim, type: this.info.type, bytes, grid, itemHash: BigInt(itemHash) })
      }
    }
    this.next()
  }

  /** The client left. */
  private drop(job: Job): void {
    const at = this.waiting.indexOf(job)
    if (at >= 0) this.waiting.splice(at, 1)
    else if (this.sent.has(job.id)) void this.process?.send({ kind: 'drop', id: job.id })
    job.reject(cancelled())
  }

  private become(ready: boolean, reason: string): void {
    const changed = this.ready !== ready
    this.ready = ready
    if (!ready) {
      const jobs = [...[...this.sent.values()].map(({ job }) => job), ...this.waiting].filter((job) => !job.settled)
      this.sent.clear()
      this.waiting.length = 0
      this.batches = 0
      for (const job of jobs) job.reject(gone())
    }
    if (changed) for (const listener of this.listeners) listener({ ready, reason, died: !ready && !this.stopped })
  }
}

/** The domain names everything that a bit of the output depends on. */
function encoderInfo(
  { modelPath, type, backend, clips }: OnnxEncoderOptions,
  { facts, device, fused, runtime, settings, msPerPatch }: Opened,
): EncoderInfo {
  const parts = [facts.family, facts.weights, facts.storage, runtime, device, fused, type, backend, clips, settings]
  const domain = `onnx:${createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32)}`
  return { modelPath, domain, dim: facts.width, type, patchesPerRow: facts.merge ** 2, msPerPatch }
}

function refused({ code, message, param }: Extract<FromProcess, { kind: 'refused' }>): AppError {
  return new AppError(codeOf(code), { message, param: param ?? undefined })
}

function codeOf(code: string): ErrorCode {
  return code in errorCodes ? (code as ErrorCode) : 'engine_failed'
}

function gone(): AppError {
  return new AppError('engine_unavailable', { message: 'The vision encoder is not running.', retryAfterSecs: 1 })
}

function cancelled(): AppError {
  return new AppError('client_closed_request', { message: 'The request was cancelled.' })
}
