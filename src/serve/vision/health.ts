// Is there an encoder that really encodes? A tiny picture is asked of each, only while it is idle, and the answer is kept for a while.
import type { MediaItem } from '../../engine/types.ts'
import { checkEmbeddings } from '../../engine/vision/embeddings.ts'
import type { VisionEncoder } from '../../engine/vision/vision.ts'
import { toAppError } from '../../lib/errors.ts'
import type { Health, RankHealth, WorkerHealth } from '../health.ts'
import type { OwnEncoder } from './encoders.ts'

export interface EncoderHealthOptions {
  encoders(): readonly OwnEncoder[]
  /** What they run, for people. */
  engine: NonNullable<WorkerHealth['engine']>
  /** The picture that is asked for; made once. */
  picture(): Promise<MediaItem>
  /** How long one proof of life counts (DYN_CANARY_WAIT_TIME). */
  freshMs: number
  /** A picture that takes longer has failed. Default 10 s. */
  timeoutMs?: number
  /** A busy encoder that finishes nothing for so long hangs. Default 30 s. */
  stallMs?: number
}

interface Watched {
  proof?: { ok: boolean; at: number; ms: number; error: string | null }
  running?: Promise<void>
  /** When a busy encoder was last seen with another load. */
  movedAt: number
  load: number
}

export function encoderHealth(options: EncoderHealthOptions): Health {
  const { timeoutMs = 10_000, stallMs = 30_000 } = options
  const watched = new WeakMap<VisionEncoder, Watched>()

  function watch(encoder: VisionEncoder): Watched {
    const known = watched.get(encoder)
    if (known !== undefined) return known
    const made: Watched = { movedAt: performance.now(), load: 0 }
    // A restarted encoder has to prove itself again.
    encoder.on(({ ready }) => {
      if (!ready) delete made.proof
    })
    watched.set(encoder, made)
    return made
  }

  /** Busy and getting on: what it finishes is proof enough. */
  function moves(encoder: VisionEncoder, entry: Watched): boolean {
    const load = encoder.patchesInFlight()
    if (load !== entry.load || load === 0) entry.movedAt = performance.now()
    entry.load = load
    return load > 0 && performance.now() - entry.movedAt < stallMs
  }

  async function prove(encoder: VisionEncoder, entry: Watched): Promise<void> {
    const { proof } = entry
    if (proof?.ok === true && performance.now() - proof.at < options.freshMs) return
    if (moves(encoder, entry) && proof?.ok !== false) return
    const began = performance.now()
    const stop = AbortSignal.timeout(timeoutMs)
    const error = await ask(encoder, options.picture, stop).then(
      () => null,
      (thrown) => (stop.aborted ? `no rows within ${timeoutMs} ms` : toAppError(thrown).message),
    )
    entry.proof = { ok: error === null, at: performance.now(), ms: performance.now() - began, error }
  }

  async function one({ id, encoder, reason }: OwnEncoder): Promise<WorkerHealth> {
    const entry = watch(encoder)
    if (encoder.ready) {
      entry.running ??= prove(encoder, entry).finally(() => {
        delete entry.running
      })
      await entry.running
    }
    const { ready } = encoder
    const ranks = ready ? [rank(entry)] : []
    const healthy = ready && ranks.every(({ canary }) => canary !== 'failed')
    return {
      id,
      healthy,
      ready,
      reason: ready ? null : reason,
      engine: ready ? options.engine : null,
      inFlight: encoder.patchesInFlight(),
      ranks,
    }
  }

  return { check: () => Promise.all(options.encoders().map(one)) }
}

async function ask(encoder: VisionEncoder, picture: () => Promise<MediaItem>, signal: AbortSignal): Promise<void> {
  const item = await picture()
  // An encoder that hangs does not hear of the abort either.
  const late = new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
  checkEmbeddings(await Promise.race([encoder.encode(item, signal), late]), item, encoder.info)
}

function rank({ proof }: Watched): RankHealth {
  if (proof === undefined) return { rank: 0, canary: 'unknown', checkedSecsAgo: null, ms: null, error: null }
  const secs = Math.round((performance.now() - proof.at) / 100) / 10
  return { rank: 0, canary: proof.ok ? 'passed' : 'failed', checkedSecsAgo: secs, ms: Math.round(proof.ms * 10) / 10, error: proof.error }
}
