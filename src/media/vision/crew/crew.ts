// Some threads that prepare one picture together, in memory that they share: a large picture then takes a fraction of the time, and the main thread none of it.

import type { Size } from '../../../../kernels/resize-bicubic/reference.ts'
import { giveBack, spareShared } from '../../../../kernels/spare.ts'
import { log } from '../../../lib/log.ts'
import type { Numbers } from '../family.ts'
import type { Backend } from '../vision.ts'
import type { CrewAnswer, CrewJob } from './job.ts'

export interface Made {
  values: Float32Array | Uint8Array
  canvas: Uint8Array
}

interface Task {
  job: CrewJob
  /** Threads that still work on it. */
  left: number
  resolve(): void
  reject(cause: Error): void
}

/** The executable's own entry, which is a thread's too (main.ts); from source the same file. */
const entry = Bun.main.startsWith('/$bunfs/') ? Bun.main : new URL('../../../main.ts', import.meta.url).href

/** One picture at a time; the others wait. Threads end with the process, and keep it from ending no longer than their work. */
export class Crew {
  private readonly workers: Worker[] = []
  private readonly waiting: Task[] = []
  private current: Task | undefined
  private ids = 0
  private starting: number
  private broken: Error | undefined
  private readonly start = Promise.withResolvers<void>()

  constructor(threads: number) {
    this.starting = threads
    this.start.promise.catch(() => {})
    for (let i = 0; i < threads; i++) this.startThread()
  }

  get isReady(): boolean {
    return this.starting === 0
  }

  get isBroken(): boolean {
    return this.broken !== undefined
  }

  /** Rejects when a thread could not be started. */
  ready(): Promise<void> {
    return this.start.promise
  }

  /** `levels` absent: bytes as they are. Rejects when a thread fails; the crew is of no more use then. */
  async prepare(
    rgb: Uint8Array,
    from: Size,
    to: Size,
    numbers: Pick<Numbers, 'filter' | 'order'>,
    backend: Backend,
    levels: Float32Array | undefined,
  ): Promise<Made> {
    await this.ready()
    if (this.broken !== undefined) throw this.broken
    const samples = 3 * to.width * to.height
    const source = new Uint8Array(spareShared(rgb.length), 0, rgb.length)
    source.set(rgb)
    const same = from.width === to.width && from.height === to.height
    const resized = same ? source : new Uint8Array(spareShared(samples), 0, samples)
    const count = samples * numbers.order.temporal
    const values = levels === undefined ? new Uint8Array(spareShared(count), 0, count) : new Float32Array(spareShared(4 * count), 0, count)
    const job: CrewJob = {
      ...{ id: this.ids++, rgb: source, from, to, filter: numbers.filter, backend, resized, order: numbers.order, values },
      ...(levels === undefined ? {} : { levels }),
      next: new Int32Array(new SharedArrayBuffer(4)),
    }
    await new Promise<void>((resolve, reject) => {
      this.waiting.push({ job, left: this.workers.length, resolve, reject })
      this.startNext()
    })
    if (!same) giveBack(source)
    return { values, canvas: resized }
  }

  /** What is under way rejects. */
  stop(): void {
    this.end(new Error('the crew is stopped'))
  }

  private startNext(): void {
    if (this.current !== undefined) return
    this.current = this.waiting.shift()
    if (this.current === undefined) return
    for (const worker of this.workers) {
      worker.ref()
      worker.postMessage(this.current.job)
    }
  }

  private startThread(): void {
    const worker = new Worker(entry)
    this.workers.push(worker)
    worker.onmessage = ({ data }: { data: CrewAnswer }) => {
      if (data.kind === 'failed') this.fail(data.message)
      else if (data.kind === 'done') this.oneDone(worker)
      else {
        worker.unref()
        if (--this.starting === 0) this.start.resolve()
      }
    }
    worker.onerror = ({ message }) => this.fail(message)
    worker.addEventListener('close', () => this.fail('a thread ended'))
  }

  private oneDone(worker: Worker): void {
    worker.unref()
    const task = this.current
    if (task === undefined || --task.left > 0) return
    this.current = undefined
    task.resolve()
    this.startNext()
  }

  private fail(message: string): void {
    if (this.broken === undefined) log.warn({ reason: message }, 'threads for pictures are given up; pictures are prepared without them')
    this.end(new Error(message))
  }

  private end(cause: Error): void {
    if (this.broken !== undefined) return
    this.broken = cause
    this.start.reject(cause)
    for (const worker of this.workers) worker.terminate()
    for (const task of [this.current, ...this.waiting.splice(0)]) task?.reject(cause)
    this.current = undefined
  }
}
