// The encoders of one model as a process has them: its own and those of encode workers behind one pool, with a cache of rows before it.
import { EmbeddingCache } from '../../engine/vision/cache.ts'
import { showVision } from '../../engine/vision/figures.ts'
import { type VisionPool, visionPool } from '../../engine/vision/pool/pool.ts'
import type { VisionEncoder } from '../../engine/vision/vision.ts'
import { log } from '../../lib/log.ts'
import { engineReady, engineRestarts } from '../../lib/metrics.ts'
import type { PlaneClient } from '../../transport/request-plane.ts'
import type { VisionOptions } from '../options.ts'
import { type EncodeFleet, encodeFleet } from './encode-fleet.ts'
import { forPictures } from './for-pictures.ts'
import { encoderKind, makeEncoder } from './make-encoder.ts'
import type { SeeingModel } from './model.ts'
import { availableMemory, patchesOnCpu, type SizeCheck, sizeCheck, sizeLimits } from './size-limit.ts'

/** An encoder of this process. */
export interface OwnEncoder {
  readonly id: string
  readonly encoder: VisionEncoder
  /** Why it is not ready, for people. */
  reason: string
}

export interface Encoders {
  readonly model: SeeingModel
  /** What a language engine's pictures go to: it waits a moment for an encoder, and says in a client's words what is wrong. */
  readonly forPictures: VisionEncoder
  readonly pool: VisionPool
  readonly cache: EmbeddingCache
  readonly own: readonly OwnEncoder[]
  /**
   * Resolves when every own encoder can encode, but for servers that somebody else runs beside a language engine of ours; rejects with a start-up AppError, and then
   * `stop` is due.
   */
  start(): Promise<void>
  /** Encode workers that discovery finds join and leave from now on. */
  follow(connect: (address: string) => PlaneClient): EncodeFleet
  stop(): Promise<void>
}

/** `encoderId` names each in logs and metrics. Nothing runs until `start`. */
export function openEncoders(options: VisionOptions, model: SeeingModel, encoderId: (index: number) => string): Encoders {
  const name = model.names[0]!
  const cache = new EmbeddingCache(options.cacheBytes)
  const pool = visionPool({ onNotice: (text) => log.warn({ model: name }, text) })
  const own: OwnEncoder[] = []
  const { maxPatches } = options.encoder
  let check: SizeCheck | undefined
  if (maxPatches !== undefined && maxPatches < (model.sight.mostPatches ?? 0))
    log.info(
      { model: name, maxPatches, processor: model.sight.mostPatches },
      'pictures that the model would take are refused: --vision-max-patches',
    )
  const hide = showVision(name, cache, pool)
  let stopped = false
  pool.on(({ ready, reason }) =>
    log[ready ? 'info' : 'warn']({ model: name, ready, reason }, ready ? 'pictures are encoded' : 'no vision encoder is ready'),
  )
  // Resolves with the first encoder, which may be one of another process.
  pool.start().catch(() => {})

  async function startOwn(index: number): Promise<void> {
    const id = encoderId(index)
    const made = await makeEncoder(options.encoder, model, index, options.count === 1 ? 'encoder' : id)
    const encoder = startedOnce(made, (item) => {
      // At the first picture: what the process loads is loaded then.
      check ??= checkOf(options, model)
      check(item)
    })
    const one: OwnEncoder = { id, encoder, reason: 'starting' }
    own.push(one)
    watch(one)
    if (stopped) return
    // A server that somebody else runs may come late; text is served meanwhile.
    const { url, besideEngine } = options.encoder
    if (url === undefined || !besideEngine) await encoder.start()
    if (stopped) await encoder.stop()
    else pool.add(id, encoder)
  }

  return {
    model,
    forPictures: forPictures(pool, cache, { check: sizeCheck(sizeLimits(maxPatches, 'mock', model.sight), model.sight) }),
    pool,
    cache,
    own,
    async start() {
      await Promise.all(Array.from({ length: options.count }, (_, index) => startOwn(index)))
    },
    follow: (connect) => encodeFleet(pool, model, connect),
    async stop() {
      stopped = true
      hide()
      await Promise.all([pool.stop(), ...own.map(({ encoder }) => encoder.stop())])
    },
  }
}

/** For its own encoders. Of encode workers only the operator's word is known; each has limits of its own. */
function checkOf({ encoder, count }: VisionOptions, { names, folder, sight, heads }: SeeingModel): SizeCheck {
  const { maxPatches, url, firstGpu, args } = encoder
  const kind = encoderKind(encoder, folder)
  const ours = kind === 'sglang' && url === undefined && firstGpu === undefined
  const onCpu = ours ? patchesOnCpu(availableMemory(), count, heads, args) : undefined
  if (maxPatches === undefined && onCpu !== undefined && onCpu < (sight.mostPatches ?? 0))
    log.info(
      { model: names[0], patches: onCpu, processor: sight.mostPatches },
      "pictures that are larger are refused: SGLang's encoder on a CPU needs memory for the square of their patches; --vision-max-patches says otherwise",
    )
  return sizeCheck(sizeLimits(maxPatches, kind, sight, onCpu), sight)
}

/** Its ups and downs into the log, the metrics and /health. */
function watch(one: OwnEncoder): void {
  const labels = { worker_id: one.id }
  let wasReady = false
  engineReady.set(labels, 0)
  one.encoder.on(({ ready, reason }) => {
    one.reason = reason
    engineReady.set(labels, ready ? 1 : 0)
    if (ready && wasReady) engineRestarts.inc(labels)
    wasReady ||= ready
    log[ready ? 'info' : 'warn']({ encoder: one.id, ready }, reason)
  })
}

/** The pool starts what it is given; this one has started by then. What `check` refuses does not reach it. */
function startedOnce(encoder: VisionEncoder, check: SizeCheck): VisionEncoder {
  let started: ReturnType<VisionEncoder['start']> | undefined
  return {
    get info() {
      return encoder.info
    },
    get ready() {
      return encoder.ready
    },
    start() {
      started ??= encoder.start()
      return started
    },
    async encode(item, signal) {
      check(item)
      return encoder.encode(item, signal)
    },
    patchesInFlight: () => encoder.patchesInFlight(),
    get heardAt() {
      return encoder.heardAt
    },
    get work() {
      return encoder.work
    },
    on: (listener) => encoder.on(listener),
    stop: () => encoder.stop(),
  }
}
