// Which video encoders of the user's ffmpeg really work: each is asked to encode a picture, once a process.
import { basename } from 'node:path'
import { AppError, toAppError } from '../../lib/errors.ts'
import { encoders, ffmpegArguments, testSide, type VideoEncoder } from './encoders.ts'
import { startFfmpeg } from './ffmpeg-process.ts'
import { firstWords } from './ffmpeg-words.ts'
import { textOf } from './process-group.ts'

export interface ProbedEncoders {
  /** The program that runs; null: none. */
  ffmpeg: string | null
  /** `5.1.9-0+deb12u1`. */
  version?: string
  /** Best first; those after the first that works are only tried when `all` was asked for. */
  tried: { name: string; works: boolean; reason?: string }[]
  /** What clips of usual sizes are made with; absent: animated WebP. */
  chosen?: string
  /** Why there is none. */
  reason?: string
}

export type EncoderChoice =
  | { encoder: VideoEncoder; ffmpeg: string }
  | { encoder: undefined /** Why there is none, for a sentence. */; reason: string }

/** What one ffmpeg program can do, found out as far as somebody has asked. */
interface Probe {
  program: string
  version: string
  /** Names that were built in. */
  known: ReadonlySet<string>
  /** undefined: it works. */
  results: Map<string, Promise<Fault | undefined>>
}

/** Why an encoder does not work. */
interface Fault {
  /** For clients. */
  short: string
  /** For the operator, with ffmpeg's own words. */
  full: string
}

const probes = new Map<string, Promise<Probe | string>>()

/**
 * What clips will be encoded with, for `doctor` and for the start of a server. `all` tries every encoder instead of stopping at the first that works.
 * Rejects with `invalid_setting` when `encoder` is asked for by name and does not work.
 */
export async function probeEncoders(options: { ffmpeg?: string | null; encoder?: string; all?: boolean } = {}): Promise<ProbedEncoders> {
  const probe = await probeOf(options.ffmpeg)
  const refuse = (reason: string) => {
    throw new AppError('invalid_setting', { param: '--video-encoder', message: `--video-encoder ${options.encoder}: ${reason}` })
  }
  if (typeof probe === 'string') {
    if (options.encoder !== undefined) refuse(probe)
    return { ffmpeg: null, tried: [], reason: probe }
  }
  const tried: ProbedEncoders['tried'] = []
  for (const encoder of candidates(options.encoder)) {
    const reason = (await test(probe, encoder))?.full
    tried.push({ name: encoder.name, works: reason === undefined, ...(reason !== undefined && { reason }) })
    if (reason === undefined && !options.all) break
  }
  const chosen = tried.find((one) => one.works)?.name
  const reason = chosen === undefined ? noneWorks(probe) : undefined
  if (options.encoder !== undefined && chosen === undefined) {
    refuse(tried[0]?.reason ?? `not one of ${encoders.map((one) => one.name).join(', ')}`)
  }
  return { ffmpeg: probe.program, version: probe.version, tried, ...(chosen && { chosen }), ...(reason && { reason }) }
}

/** The best encoder that works and takes the size. */
export async function chooseEncoder(clip: {
  width: number
  height: number
  ffmpeg?: string | null
  encoder?: string
}): Promise<EncoderChoice> {
  const probe = await probeOf(clip.ffmpeg)
  if (typeof probe === 'string') {
    const program = clip.ffmpeg ?? 'ffmpeg'
    // The reason reaches clients, who need not know where our programs lie.
    return { encoder: undefined, reason: probe.replaceAll(program, basename(program)) }
  }
  const sides = [clip.width + (clip.width % 2), clip.height + (clip.height % 2)]
  let reason: string | undefined
  for (const encoder of candidates(clip.encoder)) {
    const [least, most] = encoder.sides
    if (Math.min(...sides) < least || Math.max(...sides) > most) {
      reason ??= `its pictures have sides of ${least} to ${most} pixels`
      continue
    }
    const fault = await test(probe, encoder)
    if (fault === undefined) return { encoder, ffmpeg: probe.program }
    reason = fault.short
  }
  return { encoder: undefined, reason: clip.encoder === undefined ? noneWorks(probe) : (reason ?? 'it is not one that we know') }
}

const notBuiltIn: Fault = { short: 'it is not part of this ffmpeg', full: 'it is not part of this ffmpeg' }

const noneWorks = (probe: Probe) => `ffmpeg ${probe.version} has no video encoder that works here`

const candidates = (forced: string | undefined) => (forced === undefined ? encoders : encoders.filter((one) => one.name === forced))

function probeOf(ffmpeg: string | null | undefined): Promise<Probe | string> {
  if (ffmpeg === null) return Promise.resolve('ffmpeg is switched off')
  const program = ffmpeg ?? 'ffmpeg'
  let probe = probes.get(program)
  if (probe === undefined) {
    probe = open(program)
    probes.set(program, probe)
    // A user may install it while we run: only a find is remembered.
    probe.then((found) => {
      if (typeof found === 'string') probes.delete(program)
    })
  }
  return probe
}

async function open(name: string): Promise<Probe | string> {
  const program = Bun.which(name)
  if (program === null) return `no ${name} was found`
  try {
    const [version, list] = await Promise.all([textOf([program, '-version']), textOf([program, '-hide_banner', '-encoders'])])
    const known = new Set([...list.matchAll(/^ V\S+ (\S+)/gm)].map((match) => match[1]!))
    return { program, version: /^ffmpeg version (\S+)/.exec(version)?.[1] ?? 'of an unknown version', known, results: new Map() }
  } catch (thrown) {
    return `${name} does not run: ${(thrown as Error).message}`
  }
}

/** undefined: the encoder made a file of a grey picture. Rejects with `storage_failed`, which says nothing about the encoder and is not remembered. */
function test(probe: Probe, encoder: VideoEncoder): Promise<Fault | undefined> {
  let result = probe.results.get(encoder.name)
  if (result === undefined) {
    result = probe.known.has(encoder.name) ? tryOut(probe.program, encoder) : Promise.resolve(notBuiltIn)
    probe.results.set(encoder.name, result)
    result.catch(() => probe.results.delete(encoder.name))
  }
  return result
}

async function tryOut(program: string, encoder: VideoEncoder): Promise<Fault | undefined> {
  const shape = { width: testSide, height: testSide, fps: 8 }
  try {
    const child = startFfmpeg({
      program,
      encoder: encoder.name,
      arguments: (output) => ffmpegArguments(shape, encoder, output),
      stallMs: 20_000,
    })
    try {
      await child.write(new Uint8Array(testSide * testSide * 1.5).fill(128))
      await child.finish()
    } catch (thrown) {
      child.abort()
      throw thrown
    }
    return undefined
  } catch (thrown) {
    const failure = toAppError(thrown)
    if (failure.code === 'storage_failed') throw failure
    const words = firstWords(failure)
    const short = failure.message.replace(/\.$/, '')
    return { short, full: words === undefined ? short : `${short}: ${words}` }
  }
}
