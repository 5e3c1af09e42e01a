// SGLang's diffusion engine behind the seam: one life of a bridge after another, and every request inside it.

import { rmSync } from 'node:fs'
import { AppError, requestCancelled } from '../../../lib/errors.ts'
import { decode } from '../../../transport/msgpack.ts'
import type {
  DiffusionDone,
  DiffusionEngine,
  DiffusionEvent,
  DiffusionInfo,
  DiffusionListener,
  DiffusionRequest,
} from '../../diffusion/diffusion.ts'
import { type BridgeProcess, startProcess } from '../launch/process.ts'
import { BridgeLife, engineWords } from '../life/bridge-life.ts'
import { DiffusionJobs } from './jobs.ts'
import { cancelFrame, type DiffusionReady, generateFrame, helloAckFrame, toInfo, toUs } from './messages.ts'
import type { SglangDiffusionOptions } from './options.ts'
import { makeFrameFolder } from './shared-frames.ts'

type Bridge = BridgeProcess<DiffusionReady>

const shutdownMs = 10_000
/** A cancelled job leaves before its next step; what is still there after this long is ended with the engine. */
const cancelMs = 5000

export class SglangDiffusion implements DiffusionEngine {
  private readonly options: SglangDiffusionOptions
  private readonly jobs = new DiffusionJobs()
  private readonly life: BridgeLife<Bridge, DiffusionInfo>

  constructor(options: SglangDiffusionOptions) {
    this.options = options
    this.life = new BridgeLife<Bridge, DiffusionInfo>({
      starting: 'starting',
      words: engineWords,
      shutdownMs,
      notice: (text) => options.onNotice?.(text),
      launch: (signal, down) => this.launch(signal, down),
      info: toInfo,
      begin: ({ ready }) => `SGLang ${ready.sglang} makes ${this.info.makes}s`,
      failAll: (error) => this.jobs.failAll(error),
      unavailable: () => this.unavailable(),
    })
  }

  get info(): DiffusionInfo {
    return this.life.info
  }

  get ready(): boolean {
    return this.life.ready
  }

  /** The processes of the running engine: the bridge first, then SGLang's workers. */
  get pids(): number[] {
    const { bridge } = this.life
    return bridge ? [bridge.hello.pid, ...bridge.ready.workers] : []
  }

  start(): Promise<DiffusionInfo> {
    return this.life.start()
  }

  generate(request: DiffusionRequest, listener: DiffusionListener, signal: AbortSignal): Promise<DiffusionDone> {
    const { bridge, stopping } = this.life
    if (signal.aborted) return Promise.reject(requestCancelled())
    if (!bridge || stopping) return Promise.reject(this.unavailable())
    const { job, ended } = this.jobs.open(listener, signal, (number) => bridge.send(cancelFrame(number)))
    bridge.send(generateFrame(job, request, this.options.makes))
    return ended
  }

  control(name: string, args: Record<string, unknown>): Promise<unknown> {
    return this.life.call(name, args)
  }

  inFlight(): number {
    return this.jobs.size
  }

  on(listener: (event: DiffusionEvent) => void): () => void {
    return this.life.on(listener)
  }

  stop(deadlineMs: number): Promise<void> {
    return this.life.stop(async () => {
      await this.jobs.drained(deadlineMs)
      for (const job of this.jobs.numbers()) this.life.bridge?.send(cancelFrame(job))
      await this.jobs.drained(cancelMs)
    })
  }

  private async launch(signal: AbortSignal, down: (reason: string) => void): Promise<Bridge> {
    const options = this.options
    let shared: string | undefined
    const bridge = await startProcess<DiffusionReady>(
      {
        python: options.python,
        args: ['diffusion', ...options.args],
        diffusion: true,
        env: options.env,
        cacheDir: options.cacheDir,
        tmpDir: options.tmpDir ?? '/tmp',
        onLine: options.onLine ?? (() => {}),
      },
      {
        open: (sockets) => {
          shared = makeFrameFolder(options.sharedDir ?? '/dev/shm')
          this.jobs.folders = [shared, sockets]
          return { DSGL_FRAMES_DIRS: this.jobs.folders.join(':'), DSGL_MAKES: options.makes }
        },
        close: () => {
          if (shared) rmSync(shared, { recursive: true, force: true })
        },
        helloAck: helloAckFrame,
        message: (type, bytes) => this.take(type, decode(bytes) as unknown[]),
        down,
      },
      signal,
    )
    const wrong = refusal(bridge.ready)
    if (wrong) {
      await bridge.stop(shutdownMs)
      throw wrong
    }
    return bridge
  }

  private take(type: number, message: unknown[]): void {
    if (type === toUs.reply) this.life.calls.reply(message[1] as number, message[2] as boolean, message[3])
    else this.jobs.take(message)
  }

  private unavailable(): AppError {
    const { stopping, retryAfterSecs } = this.life
    if (stopping) return new AppError('engine_unavailable', { message: engineWords.stopping, retryAfterSecs: 5 })
    return new AppError('engine_unavailable', { message: engineWords.absent, retryAfterSecs })
  }
}

/** Nothing is started before `start`. */
export function sglangDiffusion(options: SglangDiffusionOptions): SglangDiffusion {
  return new SglangDiffusion(options)
}

function refusal({ hooks, sglang }: DiffusionReady): AppError | undefined {
  if (hooks.includes('steps') && hooks.includes('execute')) return undefined
  return new AppError('sglang_unsupported', {
    message: `SGLang ${sglang} lacks seams of its diffusion engine that are needed (found: ${hooks.join(', ') || 'none'}).`,
  })
}
