// SGLang's own encoder behind the seam: a server of its `--encoder-only` kind that we start and keep alive, or one that somebody else runs. Asked for a picture or clip at a time,
// with a socket of ours as the place of its rows, so that cache, balance and retry work as with any other.
import { createHash } from 'node:crypto'
import { AppError, toAppError } from '../../../lib/errors.ts'
import { imageCodec } from '../../../media/image/codec.ts'
import { type Kept, keepAlive } from '../../supervisor.ts'
import type { MediaItem } from '../../types.ts'
import { embeddings, patchesOf } from '../embeddings.ts'
import type { Embeddings, EncoderInfo, VisionEncoder, WorkSigns } from '../vision.ts'
import { EncoderClient, type Medium, type Transfer } from './client.ts'
import { framesFile, framesFileType } from './frames-file.ts'
import { type LifeWatch, watchLife } from './life.ts'
import { type EncoderServer, freePort, type ServerOptions, startEncoderServer } from './server.ts'

export interface SglangEncoderOptions {
  /** The model folder or hub name, for `info`. */
  modelPath: string
  /** A server of ours, or `http://host:port` of one that runs already. */
  server: ServerOptions | { url: string }
  /** The address of this machine that the server can reach. Default 127.0.0.1. */
  receiveHost?: string
  onNotice?: (text: string) => void
  /** How long a picture took, in ms: from our question to its rows. The server tells no parts of it. */
  observe?(ms: number): void
}

/** A server that we do not run is asked this often whether it is back. */
const lookEveryMs = 1000
const stopGraceMs = 3000
const gpuFlag = '--base-gpu-id'
/**
 * Pictures that are encoded before it counts as ready: the first pays for SGLang's first pass, the last tells the pace. The one between has patches and tokens that 16 does not divide,
 * with patches of 14 and of 16: for such numbers Triton compiles its kernels once more, which takes seconds.
 */
const warmUps = [
  [56, 56],
  [84, 140],
  [448, 448],
] as const

export function sglangEncoder(options: SglangEncoderOptions): VisionEncoder & { readonly pid: number | undefined } {
  return new SglangEncoder(options)
}

class SglangEncoder implements VisionEncoder {
  private readonly options: SglangEncoderOptions
  private readonly listeners = new Set<Parameters<VisionEncoder['on']>[0]>()
  private readonly running = new Map<AbortController, number>()
  private readonly life = new AbortController()
  private client: EncoderClient | undefined
  private server: EncoderServer | undefined
  private watch: LifeWatch | undefined
  private kept: Kept | undefined
  private starting: Promise<EncoderInfo> | undefined
  private facts: EncoderInfo | undefined
  private transfer: Transfer = 'zmq_to_scheduler'
  private serves = false
  private lost: (reason: string) => void = () => {}

  constructor(options: SglangEncoderOptions) {
    this.options = options
  }

  get info(): EncoderInfo {
    if (this.facts === undefined) throw unavailable()
    return this.facts
  }

  get ready(): boolean {
    return this.serves
  }

  get pid(): number | undefined {
    return this.server?.pid
  }

  /** Of a server that somebody else runs nothing is seen. */
  get heardAt(): number | undefined {
    return this.watch?.heardAt
  }

  get work(): WorkSigns | undefined {
    return this.watch?.work
  }

  start(): Promise<EncoderInfo> {
    this.starting ??= this.startAndKeep()
    return this.starting
  }

  private async startAndKeep(): Promise<EncoderInfo> {
    const first = await this.launch()
    this.kept = keepAlive(
      {
        start: () => this.launch(),
        onDown: (reason, delayMs) => this.options.onNotice?.(`${reason}; trying again in ${delayMs / 1000} s`),
      },
      first.died,
    )
    return this.info
  }

  async encode(item: MediaItem, signal: AbortSignal): Promise<Embeddings> {
    if (signal.aborted) throw cancelled()
    const { client, facts } = this
    if (!this.serves || client === undefined || facts === undefined) throw unavailable()
    const medium = mediumOf(item)
    const ended = new AbortController()
    const onAbort = () => ended.abort(cancelled())
    signal.addEventListener('abort', onAbort, { once: true })
    this.running.set(ended, patchesOf(item))
    this.watch?.begin()
    const asked = performance.now()
    try {
      const { bytes, dim, type, grids } = await client.encode(medium, this.transfer, ended.signal)
      this.options.observe?.(performance.now() - asked)
      return embeddings(bytes, dim, type, grids[0]!)
    } catch (thrown) {
      const error = toAppError(thrown)
      // Nothing listens there any more: nobody else shall be sent to it until it does.
      if (error.code === 'engine_unavailable' && !ended.signal.aborted) this.lost(error.message)
      throw error
    } finally {
      signal.removeEventListener('abort', onAbort)
      this.running.delete(ended)
    }
  }

  patchesInFlight(): number {
    let sum = 0
    for (const patches of this.running.values()) sum += patches
    return sum
  }

  on(listener: Parameters<VisionEncoder['on']>[0]): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  async stop(): Promise<void> {
    this.life.abort()
    this.kept?.end()
    this.down('stopped')
    await this.server?.stop(stopGraceMs)
    this.client?.close()
  }

  /** One life of the server, or of our connection to it. */
  private async launch(): Promise<{ died: Promise<string> }> {
    const { server, receiveHost = '127.0.0.1' } = this.options
    this.client?.close()
    const died = Promise.withResolvers<string>()
    if ('url' in server) {
      this.client = new EncoderClient({ url: server.url, receiveHost })
      while (!(await this.client.healthy(this.life.signal))) {
        if (this.life.signal.aborted) throw unavailable()
        await Bun.sleep(lookEveryMs)
      }
    } else {
      const port = await freePort()
      const client = new EncoderClient({ url: `http://127.0.0.1:${port}`, receiveHost })
      this.client = client
      const started = await startEncoderServer(server, port, (signal) => client.healthy(signal), this.life.signal)
      this.server = started
      void started.died.then(died.resolve)
      const watch = watchLife(started.pid, server.onCpu !== true, () => this.running.size > 0)
      this.watch = watch
      void started.died.then(() => watch?.close())
    }
    try {
      await this.warmUp(this.client)
    } catch (thrown) {
      await this.server?.stop(0)
      throw thrown
    }
    this.lost = (reason) => {
      if ('url' in server) died.resolve(reason)
    }
    void died.promise.then((reason) => this.down(reason))
    this.serves = true
    this.tell(true, 'started')
    return { died: died.promise }
  }

  /** Learns what rows are like and how long they take. */
  private async warmUp(client: EncoderClient): Promise<void> {
    const sharp = await imageCodec()
    for (const [width, height] of warmUps) {
      const create = { width, height, channels: 3 as const, background: { r: 90, g: 120, b: 60 } }
      const file = await sharp({ create }).png().toBuffer()
      const begun = performance.now()
      const { rows, dim, type, grids } = await this.first(client, { modality: 'IMAGE', file, contentType: 'image/png' })
      const [t, h, w] = grids[0]!
      const msPerPatch = (performance.now() - begun) / (t * h * w)
      const { modelPath } = this.options
      this.facts = { modelPath, domain: this.domain(type), dim, type, patchesPerRow: (t * h * w) / rows, msPerPatch }
    }
  }

  /** A server that somebody else started may want its port told in the other form: it fails at once on the wrong one. */
  private async first(client: EncoderClient, medium: Medium): ReturnType<EncoderClient['encode']> {
    try {
      return await client.encode(medium, this.transfer, this.life.signal)
    } catch (thrown) {
      if (!('url' in this.options.server) || this.transfer === 'zmq_to_tokenizer' || toAppError(thrown).code !== 'engine_failed')
        throw thrown
      const frame = await client.encode(medium, 'zmq_to_tokenizer', this.life.signal)
      this.transfer = 'zmq_to_tokenizer'
      return frame
    }
  }

  /** Arguments may change rows by bits (attention, device, limits), so they are a part of it. */
  private domain(type: string): string {
    const { server, modelPath } = this.options
    const args = 'url' in server ? '' : `:${createHash('sha256').update(anywhere(server.args).join('\0')).digest('hex').slice(0, 12)}`
    return `sglang:${modelPath}:${type}${args}`
  }

  private down(reason: string): void {
    if (!this.serves) return
    this.serves = false
    for (const ended of this.running.keys()) ended.abort(unavailable())
    this.tell(false, reason)
  }

  private tell(ready: boolean, reason: string): void {
    for (const listener of this.listeners) listener({ ready, reason, died: !ready && !this.life.signal.aborted })
  }
}

/** Arguments but for the GPU: several encoders of a process differ by it alone. */
function anywhere(args: readonly string[]): string[] {
  return args.filter((word, i) => !word.startsWith(gpuFlag) && args[i - 1] !== gpuFlag)
}

/** What it is asked with: a picture's file, a clip's frames as one. */
function mediumOf({ kind, file, contentType, frames, width, height }: MediaItem): Medium {
  if (kind === 'image') return { modality: 'IMAGE', file, contentType }
  if (frames === undefined || frames.length === 0) throw new AppError('invalid_image', { message: 'The clip came without its frames.' })
  return { modality: 'VIDEO', file: framesFile(frames, width, height), contentType: framesFileType }
}

function unavailable(): AppError {
  return new AppError('engine_unavailable', { message: "SGLang's encoder is not running.", retryAfterSecs: 2 })
}

function cancelled(): AppError {
  return new AppError('client_closed_request', { message: 'The request was cancelled.' })
}
