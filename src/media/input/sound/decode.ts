// Sounds of strangers to samples of one channel, by the user's ffmpeg in the way clips are read: known containers only, nothing else may be opened, and no more is
// taken than may be kept.
import { AppError } from '../../../lib/errors.ts'
import { atMost } from '../at-most.ts'
import { ClipFailure, ffmpegOutput, noFfmpeg, openClipFile } from '../clip/child.ts'
import type { ClipLimits } from '../clip/limits.ts'
import { describe, pictureTitle } from '../sniff.ts'
import { knownSounds, soundContainerOf } from './containers.ts'
import { plainSamples, wavFile, withLengths } from './wav.ts'

export interface SoundContext {
  limits: Pick<ClipLimits, 'ffmpeg' | 'timeoutMs'>
  rate: number
  maxSecs: number
  param: string
  signal: AbortSignal
}

export interface Samples {
  /** A WAV file of one channel, whose every decoder gets the same samples. */
  file: Uint8Array
  count: number
  /** What was given (`MP3`). */
  container: string
}

const decoding = atMost(2)
/** Of the child; a decoder of sounds needs some tens of MB. */
const memory = 512_000_000

/**
 * The whole sound at `rate`. A plain WAV (16 bits, one channel, that rate) keeps its samples and needs no ffmpeg. Rejects with `invalid_image` for what is no sound, is
 * broken, empty, too long or too slow to decode, with `unsupported_parameter` where ffmpeg is needed and missing, with `client_closed_request`; each names `param`.
 */
export async function decodeSound(given: Uint8Array, context: SoundContext): Promise<Samples> {
  const { rate, param } = context
  const container = soundContainerOf(given)
  if (container === undefined)
    throw invalid(param, `is ${pictureTitle(given) ?? describe(given) ?? 'no sound file'}; read are ${knownSounds}`)
  const bytes = container.demuxer === 'wav' ? withLengths(given) : given
  const plain = plainSamples(bytes, rate)
  const samples = plain ?? (await decoded(bytes, container, context))
  const count = samples.length / (plain === undefined ? 4 : 2)
  if (count === 0) throw invalid(param, 'is empty')
  if (count > context.maxSecs * rate) throw tooLong(context)
  return { file: wavFile(samples, rate, plain === undefined), count, container: container.title }
}

function decoded(bytes: Uint8Array, { demuxer, title }: { demuxer: string; title: string }, context: SoundContext): Promise<Uint8Array> {
  const { limits, rate, maxSecs, param, signal } = context
  const ffmpeg = limits.ffmpeg === null ? null : Bun.which(limits.ffmpeg)
  if (ffmpeg === null) return Promise.reject(noFfmpeg(param, undefined, 'sound'))
  return decoding(async () => {
    const file = openClipFile(bytes, demuxer)
    const output = ['-map', '0:a:0', '-ac', '1', '-ar', String(rate), '-c:a', 'pcm_f32le', '-f', 'f32le']
    const pieces: Uint8Array[] = []
    let length = 0
    try {
      const run = { ffmpeg, file, input: ['-xerror'], output, timeoutMs: limits.timeoutMs, memory, param, signal, noun: 'sound' } as const
      for await (const piece of ffmpegOutput(run)) {
        pieces.push(piece)
        length += piece.length
        // Leaving the loop ends the child.
        if (length > maxSecs * rate * 4) throw tooLong(context)
      }
      return Buffer.concat(pieces, length)
    } catch (thrown) {
      throw thrown instanceof ClipFailure ? invalid(param, `is a broken or cut-off ${title} file, or has no sound`, thrown) : thrown
    } finally {
      file.close()
    }
  }, signal).catch((thrown) => {
    throw signal.aborted ? new AppError('client_closed_request', { param, message: 'The client went away.' }) : thrown
  })
}

function invalid(param: string, why: string, cause?: unknown): AppError {
  return new AppError('invalid_image', { param, message: `The sound at ${param} ${why}.`, cause })
}

function tooLong({ param, maxSecs }: SoundContext): AppError {
  return invalid(param, `is longer than ${maxSecs} seconds, the longest that this model hears; send it in pieces`)
}
