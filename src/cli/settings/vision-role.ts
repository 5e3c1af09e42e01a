// The rules of encoding pictures apart from the language model: which part of it a process does, and what that part excludes.
import { invalid as refused } from './rules.ts'
import { type Command, nameOf } from './setting.ts'
import { type Settings, table, type Values } from './settings.ts'

export type VisionRole = NonNullable<Settings['visionRole']>

type Flags = Pick<
  Values,
  'multimodalEncodeWorker' | 'multimodalWorker' | 'multimodalProcessor' | 'dedicatedMmEncoder' | 'disaggregationMode'
>

/** Undefined: the engine encodes its pictures itself, or there are none. A frontend may share variables with workers. Throws AppError `invalid_setting`. */
export function visionRoleOf(draft: Flags, command: Command): VisionRole | undefined {
  if (command === 'frontend') return undefined
  const asked: [VisionRole, string][] = []
  if (draft.multimodalEncodeWorker) asked.push(['encode', '--multimodal-encode-worker'])
  if (draft.disaggregationMode === 'encode') asked.push(['encode', '--disaggregation-mode encode'])
  if (draft.multimodalWorker) asked.push(['language', '--multimodal-worker'])
  // On an encode worker it says that there is one; Dynamo's scripts have it on all workers.
  if (draft.dedicatedMmEncoder && asked[0]?.[0] !== 'encode') asked.push(['language', '--dedicated-mm-encoder'])
  if (draft.multimodalProcessor) asked.push(['processor', '--multimodal-processor'])
  const [first, ...others] = asked
  const other = others.find(([role]) => role !== first?.[0])
  if (first !== undefined && other !== undefined)
    throw invalid(other[1], `${first[1]} and ${other[1]} are parts of different processes: run a worker for each`)
  // `serve` has the processor's part in it.
  return first?.[0] === 'processor' && command === 'serve' ? undefined : first?.[0]
}

/** What the role does not go with. Throws AppError `invalid_setting`. */
export function checkVision(draft: Values, role: VisionRole, engine: Settings['engine'], command: Command, alone: boolean): void {
  const flag = flagOf(draft, role)
  if (role === 'encode' && command === 'serve')
    throw invalid(
      flag,
      `${flag} makes rows and answers nobody, so it belongs to 'worker': run 'frontend', a worker with ${flag} and one with --multimodal-worker; or 'serve --dedicated-mm-encoder', which has both`,
    )
  const mode = draft.disaggregationMode
  if (role === 'encode' && (mode === 'prefill' || mode === 'decode'))
    throw invalid(flag, `${flag} and --disaggregation-mode ${mode} exclude each other: an encoder has no prompts and answers to part`)
  for (const name of ['embeddingWorker', 'isEmbedding', 'useSglangTokenizer', 'imageDiffusionWorker', 'videoGenerationWorker'] as const)
    if (draft[name]) throw invalid(flag, `${flag} and ${nameOf(table[name])} exclude each other: run a process for each`)
  if (engine === 'http')
    throw invalid(
      flag,
      role === 'encode'
        ? `${flag} does not go with --engine-url: a running SGLang encoder is named by --vision-encoder-url, with --model-path for the files of its model`
        : `${flag} does not go with --engine-url: SGLang's HTTP server takes no rows of pictures; start the engine here (--model-path)`,
    )
  if (draft.visionEncoderUrl !== undefined && !/^https?:\/\/[^/]+/.test(draft.visionEncoderUrl))
    throw invalid('--vision-encoder-url', `--vision-encoder-url must be like http://HOST:PORT, not '${draft.visionEncoderUrl}'`)
  if (draft.visionEncoderUrl !== undefined && (draft.visionEncoder === 'onnx' || draft.visionEncoder === 'mock'))
    throw invalid('--vision-encoder-url', `--vision-encoder-url is an SGLang encoder's, and --vision-encoder says ${draft.visionEncoder}`)
  if (draft.visionEncoders === 0 && (role === 'encode' || (command === 'serve' && alone)))
    throw invalid('--vision-encoders', `--vision-encoders 0: nobody would encode pictures; leave it out`)
  if (draft.nodeRank > 0 && role === 'encode') throw invalid(flag, `${flag} runs on one host: leave --node-rank out`)
  const wrong = draft.encoderRegisterUrls.find((url) => !/^https?:\/\/[^/]+/.test(url))
  const release = draft.encoderSglangVersion
  if (release !== undefined && !isServedRelease(release))
    throw invalid(
      '--encoder-sglang-version',
      `--encoder-sglang-version must be 0.5.6 or later, not '${release}': encoders apart came with it`,
    )
  if (wrong !== undefined) throw invalid('--encoder-register-urls', `--encoder-register-urls must be like http://HOST:PORT, not '${wrong}'`)
}

/** `flag` may be with its value. */
function invalid(flag: string, message: string) {
  return refused(flag.split(' ')[0]!, message)
}

function flagOf(draft: Values, role: VisionRole): string {
  if (role === 'processor') return '--multimodal-processor'
  if (role === 'encode') return draft.multimodalEncodeWorker ? '--multimodal-encode-worker' : '--disaggregation-mode encode'
  return draft.multimodalWorker ? '--multimodal-worker' : '--dedicated-mm-encoder'
}

const roles = new Set(['multimodalEncodeWorker', 'multimodalWorker', 'multimodalProcessor', 'dedicatedMmEncoder'])
const gateway = new Set(['encoderPort', 'encoderRegisterUrls', 'encoderSglangVersion'])

/** 0.5.6 and all since. */
function isServedRelease(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = (/^(\d+)\.(\d+)\.(\d+)/.exec(version) ?? []).slice(1).map(Number)
  return major > 0 || minor > 5 || (minor === 5 && patch >= 6)
}

/** Settings that nobody acts on for lack of a role, and what a processor is told. */
export function visionNotices(written: ReadonlySet<string>, draft: Values, role: VisionRole | undefined, command: Command): string[] {
  if (command === 'frontend')
    return written.has('multimodalProcessor') ? ['--multimodal-processor: a frontend is one: it reads and prepares the pictures'] : []
  if (draft.multimodalProcessor && command === 'serve') return ['--multimodal-processor: serve does that anyway']
  const names = Object.entries(table).filter(([name, { group }]) => group === 'vision' && written.has(name) && !roles.has(name))
  const idle = names.filter(([name]) => role === undefined || role === 'processor' || (gateway.has(name) && role !== 'encode'))
  return idle.map(([name, setting]) =>
    gateway.has(name)
      ? `${nameOf(setting)} has no effect without --multimodal-encode-worker`
      : `${nameOf(setting)} has no effect without --multimodal-encode-worker or --dedicated-mm-encoder`,
  )
}
