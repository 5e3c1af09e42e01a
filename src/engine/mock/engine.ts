// The mock engine: takes requests in, lets the loop run them, and ends each exactly once. No GPU, no model, no process.
import { AppError, toAppError } from '../../lib/errors.ts'
import { log } from '../../lib/log.ts'
import type { Engine } from '../engine.ts'
import type { Embedding, EmbedRequest, EngineEvent, EngineInfo, Finish, GenerateRequest, Sink } from '../types.ts'
import { embeddingSink } from './answer/embedding.ts'
import { type Controls, operate } from './control.ts'
import { Legs } from './disagg/legs.ts'
import { badRequest, cancelled } from './endings.ts'
import { Events } from './events.ts'
import { metricsText } from './metrics.ts'
import { engineInfo, type MockConfig, type MockOptions, resolveOptions } from './options.ts'
import { Loop } from './rank/loop.ts'
import { makeRanks } from './rank/ranks.ts'
import { Sequence, type SequencePlan } from './rank/sequence.ts'
import { enqueue, type Rank, remove } from './rank/step.ts'
import { encodeTexts, planRequest, type Refusal, type Texts } from './request.ts'

export type { MockOptions } from './options.ts'

/** Makes a mock engine; see MockOptions. Throws AppError `invalid_setting` for options that make no sense. */
export function mockEngine(options: MockOptions): Engine {
  return new MockEngine(resolveOptions(options))
}

interface Job {
  rank: Rank
  sequence: Sequence
  done: () => void
  signal: AbortSignal
  onAbort: () => void
}

class MockEngine implements Engine {
  info: EngineInfo
  ready = false
  private readonly config: MockConfig
  private ranks: Rank[]
  private readonly loop: Loop
  private readonly jobs = new Map<Sequence, Job>()
  private aborts: Job[] = []
  private readonly events: Events
  private readonly legs: Legs
  private restartTimer: ReturnType<typeof setTimeout> | undefined
  private asked = 0
  /** Requests whose texts are being tokenized. */
  private encoding = 0
  private crashAt: number
  private stallAt: number
  private stopping = false
  private paused = false
  private readonly controls: Controls = {
    loads: () => this.ranks.map((rank) => this.events.loads.read(rank)),
    flush: () => this.flush(),
    crash: (restartMs) => this.crash(restartMs ?? this.config.failure.restartMs),
    stall: (on) => {
      this.stallAt = on ? 0 : Number.POSITIVE_INFINITY
      this.loop.wake()
    },
    pause: (mode) => this.pause(mode),
    loras: new Map(),
  }
  private readonly idleWaiters: (() => void)[] = []

  constructor(config: MockConfig) {
    this.config = config
    this.events = new Events(this.config.kvEvents)
    this.crashAt = config.failure.crashAfter
    this.stallAt = config.failure.stallAfter
    this.ranks = makeRanks(this.config)
    this.events.watch(this.ranks)
    this.loop = new Loop(config, this.ranks, {
      before: () => this.between(),
      ended: (sequence) => this.legs.holds(sequence) || this.end(this.jobs.get(sequence), sequence.finish!),
      stepped: (rank) => this.events.stepped(rank),
    })
    this.legs = new Legs(config, {
      run: (sequence) => this.run(this.jobs.get(sequence)),
      end: (sequence, finish) => this.end(this.jobs.get(sequence), finish),
    })
    this.info = engineInfo(config)
  }

  async start(): Promise<EngineInfo> {
    const { slowStartMs, failStart } = this.config.failure
    if (slowStartMs > 0) await Bun.sleep(slowStartMs)
    if (failStart) throw new AppError('sglang_failed', { message: 'the mock engine failed to start, as its failure setting asks' })
    if (!this.stopping) this.open('started')
    return this.info
  }

  generate(request: GenerateRequest, sink: Sink, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => this.take(request, sink, signal, resolve))
  }

  embed(request: EmbedRequest, signal: AbortSignal): Promise<Embedding> {
    return new Promise((resolve, reject) => {
      const sink = embeddingSink(request.promptIds, this.config, resolve, reject)
      // To the engine an embedding is a prompt without an answer.
      this.take({ ...request, sampling: { max_new_tokens: 0 }, stream: false }, sink, signal, () => {}, true)
    })
  }

  async control(name: string, args: Record<string, unknown>): Promise<unknown> {
    return operate(name, args, this.controls)
  }

  async metrics(): Promise<string> {
    return metricsText(this.ranks, this.config.modelPath)
  }

  inFlight(): number {
    return this.jobs.size + this.encoding
  }

  on(listener: (event: EngineEvent) => void): () => void {
    return this.events.on(listener)
  }

  async stop(deadlineMs: number): Promise<void> {
    if (!this.stopping) {
      this.stopping = true
      clearTimeout(this.restartTimer)
      this.setReady(false, 'stopping')
    }
    if (this.jobs.size > 0 && deadlineMs > 0) {
      const idle = new Promise<void>((resolve) => this.idleWaiters.push(resolve))
      const late = Promise.withResolvers<void>()
      const timer = setTimeout(late.resolve, deadlineMs)
      await Promise.race([idle, late.promise])
      clearTimeout(timer)
    }
    for (const job of [...this.jobs.values()]) this.end(job, { kind: 'abort', message: 'the engine stops' })
    this.loop.stop()
    this.legs.close()
    this.events.loads.stop()
  }

  private take(request: GenerateRequest, sink: Sink, signal: AbortSignal, done: () => void, embedding = false): void {
    const texts = encodeTexts(request, this.config)
    if (!(texts instanceof Promise)) {
      this.submit(this.check(request, texts, sink, signal, embedding), request, sink, signal, done)
      return
    }
    this.encoding++
    texts
      .then((ready) => this.check(request, ready, sink, signal, embedding), toAppError)
      .then((plan) => {
        this.encoding--
        this.submit(plan, request, sink, signal, done)
      })
  }

  private submit(
    plan: SequencePlan | Finish | AppError,
    request: GenerateRequest,
    sink: Sink,
    signal: AbortSignal,
    done: () => void,
  ): void {
    if (plan instanceof AppError) {
      sink.fail(plan)
      done()
    } else if ('kind' in plan) {
      sink.end(plan, { promptTokens: request.promptIds.length, completionTokens: 0, cachedTokens: 0, reasoningTokens: 0 })
      done()
    } else {
      const { role, dpSize } = this.config
      const implied = role === 'prefill' && request.bootstrap !== undefined ? request.bootstrap.room % dpSize : undefined
      const rank = this.ranks[request.dpRank ?? implied ?? this.events.loads.least(this.ranks)]!
      const sequence = new Sequence(plan, this.config)
      const job: Job = { rank, sequence, done, signal, onAbort: () => this.queueAbort(job) }
      signal.addEventListener('abort', job.onAbort)
      this.jobs.set(sequence, job)
      if (!this.legs.waits(sequence)) this.run(job)
    }
  }

  private run(job: Job | undefined): void {
    if (job === undefined) return
    enqueue(job.rank, job.sequence)
    this.events.loads.changed(job.rank)
    if (job.rank.step === 'idle') this.loop.wake()
  }

  /** The plan for a request, or how it ends before it began. */
  private check(
    request: GenerateRequest,
    texts: Texts | Refusal,
    sink: Sink,
    signal: AbortSignal,
    embedding: boolean,
  ): SequencePlan | Finish | AppError {
    if (!this.ready) return new AppError('engine_unavailable', { message: 'the engine is not ready', retryAfterSecs: 1 })
    if (signal.aborted) return cancelled
    const { isEmbedding, failure } = this.config
    if (embedding !== isEmbedding) {
      return badRequest(
        isEmbedding ? 'this engine only makes embeddings' : 'this engine makes no embeddings; start it as an embedding worker',
      )
    }
    if (failure.refuseEvery > 0 && ++this.asked % failure.refuseEvery === 0) {
      return { kind: 'abort', message: 'the request queue is full', status: 503, errorType: 'ServiceUnavailableError' }
    }
    if ('kind' in texts) return badRequest(texts.message)
    const plan = planRequest(request, texts, sink, this.config)
    return 'kind' in plan ? badRequest(plan.message) : plan
  }

  /** Between two rounds of steps: aborts and faults. False: no step may run. */
  private between(): boolean {
    this.applyAborts()
    if (this.loop.produced >= this.crashAt) {
      this.crash(this.config.failure.restartMs)
      return false
    }
    return this.loop.produced < this.stallAt
  }

  /** The one place where a request that was taken in ends. */
  private end(job: Job | undefined, finish: Finish | AppError): void {
    if (job === undefined || !this.jobs.delete(job.sequence)) return
    job.signal.removeEventListener('abort', job.onAbort)
    job.sequence.closed = true
    this.legs.ended(job.sequence)
    remove(job.rank, job.sequence)
    const { sink } = job.sequence.plan
    try {
      if (finish instanceof AppError) sink.fail(finish)
      else sink.end(finish, job.sequence.usage())
    } catch (error) {
      log.error({ err: error, requestId: job.sequence.plan.request.requestId }, 'a sink threw at its end')
    }
    job.done()
    if (this.jobs.size === 0) for (const wake of this.idleWaiters.splice(0)) wake()
  }

  /** Aborts may come from inside a sink's call, so they wait for the turn. */
  private queueAbort(job: Job): void {
    this.aborts.push(job)
    this.loop.wake()
  }

  private applyAborts(): void {
    if (this.aborts.length === 0) return
    const aborts = this.aborts
    this.aborts = []
    for (const job of aborts) {
      this.end(job, cancelled)
      this.events.loads.changed(job.rank)
    }
  }

  private crash(restartMs: number): void {
    this.crashAt = Number.POSITIVE_INFINITY
    if (!this.ready && !this.stopping) return
    if (this.ready) this.setReady(false, 'the mock engine crashed')
    for (const job of [...this.jobs.values()]) {
      this.end(job, new AppError('engine_failed', { message: 'the engine died while it worked on this request' }))
    }
    this.legs.close()
    this.ranks = makeRanks(this.config)
    this.loop.replace(this.ranks)
    this.events.watch(this.ranks)
    if (this.stopping || restartMs === Number.POSITIVE_INFINITY) return
    this.restartTimer = setTimeout(() => {
      this.flush()
      this.open('restarted')
    }, restartMs)
  }

  private open(reason: string): void {
    const bootstrap = this.legs.listen()
    if (bootstrap !== undefined) this.info = { ...this.info, bootstrap }
    this.setReady(true, reason)
  }

  /** As SGLang: `abort` ends what runs, the other modes hold it until the pause is over (undefined). */
  private pause(mode: string | undefined): void {
    this.controls.stall(mode !== undefined && mode !== 'abort')
    if (mode === 'abort') for (const job of [...this.jobs.values()]) this.end(job, cancelled)
    if (this.paused === (mode !== undefined)) return
    this.paused = mode !== undefined
    if (!this.stopping) this.setReady(!this.paused, this.paused ? 'generation is paused' : 'generation continues')
  }

  private flush(): void {
    for (const rank of this.ranks) {
      rank.kv.clear()
      this.events.tellKv(rank)
    }
  }

  private setReady(ready: boolean, reason: string): void {
    this.ready = ready
    this.events.emit({ kind: 'state', ready, reason })
  }
}
