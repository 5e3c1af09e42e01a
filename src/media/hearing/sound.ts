// A user's sound as engines get it: a file that every decoder reads as the same samples, with its length and its name in caches.
import { createHash } from 'node:crypto'
import { AppError } from '../../lib/errors.ts'
import type { ClipLimits } from '../input/clip/limits.ts'
import { readFile } from '../input/input.ts'
import type { InputPolicy } from '../input/policy.ts'
import { inReadingRoom } from '../input/room.ts'
import { decodeSound } from '../input/sound/decode.ts'
import { type HearingModel, hearingRate } from './hearing.ts'

export interface Sound {
  /** WAV, one channel, `hearingRate` a second. */
  file: Uint8Array
  contentType: 'audio/wav'
  samples: number
  /** What the client's file is (`WAV`). */
  container: string
  /** Bytes of what the client sent. */
  sent: number
  /** SHA-256 of `file`, hex. */
  hash: string
}

export interface SoundReading {
  model: HearingModel
  policy: InputPolicy
  limits: ClipLimits
  param: string
  signal: AbortSignal
}

/** Of any model. */
const longestSecs = 600

/**
 * A sound by its address (data:, https, file, as the policy allows). Rejects with `invalid_image` for what cannot be had or decoded, is empty, or longer than the model
 * hears, `invalid_value` for addresses that are refused, `unsupported_parameter` where ffmpeg is needed and missing; each names `param`.
 */
export function readSound(url: string, { model, policy, limits, param, signal }: SoundReading): Promise<Sound> {
  return inReadingRoom(param, signal, async (place) => {
    const given = await readFile({ url }, { ...policy, kind: 'sound', onBytes: place.take }, param, place.signal)
    return soundOf(given, { model, limits, param, signal: place.signal })
  })
}

/** The sound in a file; rejects as readSound. */
export async function soundOf(given: Uint8Array, { model, limits, param, signal }: Omit<SoundReading, 'policy'>): Promise<Sound> {
  const maxSecs = Math.min(longestSecs, model.windowSecs)
  const { file, count, container } = await decodeSound(given, { limits, rate: hearingRate, maxSecs, param, signal })
  if (model.tokens(count) === 0)
    throw new AppError('invalid_image', {
      param,
      message: `The sound at ${param} is too short: ${count} samples at ${hearingRate} a second.`,
    })
  const hash = createHash('sha256').update(file).digest('hex')
  return { file, contentType: 'audio/wav', samples: count, container, sent: given.length, hash }
}
