// The rules of a diffusion worker: what the role excludes, which model it has when none is given, what SGLang's diffusion engine is told.
import { invalid } from './rules.ts'
import { type Command, nameOf } from './setting.ts'
import { type Settings, table, type Values } from './settings.ts'

type Makes = Settings['makes']

/** The models of the documents' scripts. */
export const standardModels = { image: 'black-forest-labs/FLUX.1-dev', video: 'Wan-AI/Wan2.1-T2V-1.3B-Diffusers' } as const

/** Undefined for text. A frontend may share variables with workers: what they make is not its own. Throws AppError `invalid_setting`. */
export function makesOf(draft: Values, command: Command): Makes {
  if (command === 'frontend') return undefined
  const { imageDiffusionWorker: image, videoGenerationWorker: video } = draft
  if (image && video) throw excluded('--video-generation-worker', '--image-diffusion-worker', oneEach[command])
  return image ? 'image' : video ? 'video' : undefined
}

const oneEach = { serve: 'run a serve for each, on a port of its own', worker: 'run a worker for each' } as const

const roleFlag = { image: '--image-diffusion-worker', video: '--video-generation-worker' } as const

/** What the role does not go with. Throws AppError `invalid_setting`. */
export function checkDiffusion(draft: Values, makes: NonNullable<Makes>, engine: Settings['engine']): void {
  const role = roleFlag[makes]
  if (engine === 'http')
    throw invalid(role, `${role} starts an engine of its own: leave out --engine-url, give --model-path, or --engine mock`)
  if (draft.embeddingWorker || draft.isEmbedding) throw excluded(role, '--embedding-worker', 'run a process for each')
  if (draft.disaggregationMode === 'prefill' || draft.disaggregationMode === 'decode')
    throw excluded(role, `--disaggregation-mode ${draft.disaggregationMode}`, 'there are no prompts and answers to part')
  for (const name of ['useSglangTokenizer', 'customJinjaTemplate', 'disaggConfig'] as const)
    if (draft[name]) throw excluded(role, nameOf(table[name]), 'it is for text models')
}

/** Where results go, for who keeps them. Throws AppError `invalid_setting`. */
export function checkPlaces({ mediaFsUrl, mediaHttpUrl }: Values): void {
  if (!/^(file:\/\/\/|\/|s3:\/\/[^/])/.test(mediaFsUrl))
    throw invalid('--media-output-fs-url', `--media-output-fs-url must be file:///FOLDER or s3://BUCKET/PREFIX, not '${mediaFsUrl}'`)
  if (mediaHttpUrl !== undefined && !/^https?:\/\/[^/]/.test(mediaHttpUrl))
    throw invalid('--media-output-http-url', `--media-output-http-url must be like https://HOST/PATH, not '${mediaHttpUrl}'`)
}

function excluded(one: string, other: string, why: string) {
  return invalid(one, `${one} and ${other} exclude each other: ${why}`)
}

/** Words of the documents' scripts for text engines, which the diffusion engine does not know; each with the values it takes. */
const textOnly: ReadonlyMap<string, number> = new Map([
  ['--skip-tokenizer-init', 0],
  ['--enable-metrics', 0],
  ['--disaggregation-mode', 1],
])
/** The diffusion engine's word for the same thing. */
const renamed: ReadonlyMap<string, string> = new Map([
  ['--tp', '--tp-size'],
  ['--tensor-parallel-size', '--tp-size'],
  ['--dp', '--dp-size'],
  ['--data-parallel-size', '--dp-size'],
  ['--nccl-port', '--master-port'],
  ['--model', '--model-path'],
])

/** The arguments of SGLang's diffusion server (multimodal_gen/runtime/server_args): what was given, verbatim, in its own words. */
export function diffusionArgs(rest: readonly string[], modelPath: string | undefined): string[] {
  const told = rest.some((word) => /^--model(-path)?(=|$)/.test(word))
  const args: string[] = told || modelPath === undefined ? [] : ['--model-path', modelPath]
  for (let i = 0; i < rest.length; i++) {
    const word = rest[i]!
    const [flag = word] = word.split('=', 1)
    const values = textOnly.get(flag)
    if (values === undefined) args.push((renamed.get(flag) ?? flag) + word.slice(flag.length))
    else if (word === flag) i += values
  }
  return args
}

const placeNames = ['mediaFsUrl', 'mediaHttpUrl', 'mediaMaxGb', 'mediaMaxAgeHours', 'mediaJobsFolder', 'mediaJobHours'] as const

/** Settings that nobody acts on, because of the role or for lack of one. */
export function diffusionNotices(
  written: ReadonlySet<string>,
  makes: Makes,
  { discoveryBackend }: Pick<Settings, 'discoveryBackend'>,
  command: Command,
): string[] {
  if (command === 'frontend') return []
  if (makes !== undefined && command === 'worker') {
    const places = placeNames.filter((name) => written.has(name))
    return places.map(
      (name) => `${nameOf(table[name])}: the frontend keeps the files and the jobs, so it goes there; a worker has no use for it`,
    )
  }
  if (makes !== undefined) {
    const alone = discoveryBackend === 'static' || discoveryBackend === 'mem'
    const how = "to share its engines run 'worker' with the same flags, and 'frontend'"
    return alone ? [] : [`--discovery-backend ${discoveryBackend}: serve makes its images and videos alone and is not announced; ${how}`]
  }
  // Clips in chats are read by ffmpeg too.
  const idle = Object.entries(table).filter(
    ([name, { group, flags }]) => group === 'diffusion' && flags.length > 0 && written.has(name) && name !== 'ffmpeg',
  )
  return idle.map(([, setting]) => `${nameOf(setting)} has no effect without --image-diffusion-worker or --video-generation-worker`)
}
