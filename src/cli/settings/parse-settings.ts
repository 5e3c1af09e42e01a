// argv, environment and files to one checked Settings. Pure but for the files it is told to read; the rules between settings are here.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AppError } from '../../lib/errors.ts'
import { checkDiffusion, checkPlaces, diffusionArgs, diffusionNotices, makesOf, standardModels } from './diffusion-role.ts'
import { noticesFor } from './notices.ts'
import { flagWords, type Given, readArgv, readEnv, readFile, readMapping, type Table } from './read-settings.ts'
import { checkPairs, checkTogether, invalid, refuseForeign, refuseOnFrontend } from './rules.ts'
import { type Command, nameOf } from './setting.ts'
import { type Settings, table, type Values } from './settings.ts'
import { checkVision, type VisionRole, visionNotices, visionRoleOf } from './vision-role.ts'
import { addressOf, discoveryOf } from './whereabouts.ts'

/** Precedence: argv, environment, settings file, SGLang's --config, default. Throws AppError `invalid_setting` that says what to do. */
export function parseSettings(argv: readonly string[], env: Readonly<Record<string, string | undefined>>, command: Command): Settings {
  const { given, rest } = readArgv(table, argv)
  for (const name of given.keys()) checkCommand(name, command)
  const written = new Set(given.keys())
  if (command === 'frontend') refuseOnFrontend(rest)
  merge(given, readEnv(table, { ...env, DYN_LOG: logLevel(env.DYN_LOG) }), rest)
  const path = given.get('settingsFile') as string | undefined
  if (path !== undefined) {
    const file = readFile(table, read(path, '--settings'), path)
    merge(given, file.given, rest)
    rest.push(...file.rest)
  }
  checkPairs(values(given))
  const section = disaggSection(values(given))
  learn(given, values(given).sglangConfig, section)
  const draft = values(given)
  // A frontend may share variables and files with its workers: what they say of an engine is not its own.
  const makes = makesOf(draft, command)
  const visionRole = visionRoleOf(draft, command)
  const engine = command === 'frontend' ? (draft.engine ?? 'mock') : chooseEngine(draft, makes)
  const discovery = discoveryOf(draft, command, env)
  checkTogether(draft, engine, command, discovery.discoveryBackend)
  if (makes !== undefined) checkDiffusion(draft, makes, engine)
  const alone = isStatic(discovery.discoveryBackend) && draft.workerAddresses.length === 0
  if (visionRole !== undefined) checkVision(draft, visionRole, engine, command, alone)
  if (command === 'frontend' || (command === 'serve' && makes !== undefined)) checkPlaces(draft)
  const modelPath = draft.modelPath ?? (makes !== undefined && engine === 'sglang' ? standardModels[makes] : undefined)
  const args = () => (makes === undefined ? arrange(draft, rest, section, visionRole) : diffusionArgs(rest, modelPath))
  const engineArgs = command === 'frontend' ? [] : args()
  if (command !== 'frontend' && engine === 'mock' && draft.engine === undefined) refuseForeign(engineArgs)
  return {
    ...draft,
    command,
    engine,
    makes,
    visionRole,
    modelPath,
    standardModel: modelPath !== draft.modelPath,
    embeddingWorker: draft.embeddingWorker || draft.isEmbedding,
    systemPort: (draft.systemPort ?? -1) < 0 ? undefined : draft.systemPort,
    ...addressOf(draft, given),
    ...discovery,
    healthCheckPayload: payload(draft.healthCheckPayload),
    engineArgs,
    notices: [
      ...noticesFor({ given, written, draft, engine, engineArgs, command }),
      ...diffusionNotices(written, makes, discovery, command),
      ...visionNotices(written, draft, visionRole, command),
    ],
  }
}

/** SGLang reads its --config (or the chosen section) itself; we only learn from it what both sides must know. */
function learn(given: Given, sglangConfig: string | undefined, section: string | undefined): void {
  const path = sglangConfig ?? '--disagg-config'
  const content = sglangConfig === undefined ? section : read(sglangConfig, '--config')
  if (content === undefined) return
  for (const [name, value] of readFile(table, content, path).given) {
    if ((table as Table)[name]!.shared && !given.has(name)) given.set(name, value)
  }
}

/** Adds what is not given yet; shared values that SGLang cannot see (environment, file) become its flags. */
function merge(given: Given, more: Given, rest: string[]): void {
  for (const [name, value] of more) {
    if (given.has(name)) continue
    given.set(name, value)
    const setting = (table as Table)[name]!
    if (setting.shared && setting.kind !== 'list') rest.push(...flagWords(setting, value))
  }
}

function values(given: Given): Values {
  const all: Record<string, unknown> = {}
  for (const [name, setting] of Object.entries(table)) all[name] = given.has(name) ? given.get(name) : setting.default
  return all as Values
}

/** Dynamo's DYN_LOG may hold targets (`info,dynamo_runtime=debug`); the level is the part without one. */
function logLevel(value: string | undefined): string | undefined {
  return value
    ?.split(',')
    .find((part) => !part.includes('='))
    ?.trim()
    .toLowerCase()
}

function checkCommand(name: string, command: Command): void {
  // Only argv is checked: variables and files may be shared by several commands of one machine.
  const setting = (table as Table)[name]!
  if (setting.commands && !setting.commands.includes(command)) {
    throw invalid(nameOf(setting), `${nameOf(setting)} does not belong to '${command}' but to: ${setting.commands.join(', ')}`)
  }
}

function chooseEngine(draft: Values, makes: Settings['makes']): Settings['engine'] {
  // A diffusion worker without a word is the documents' own command line: the real engine, with the model of their scripts.
  const real = draft.modelPath !== undefined || makes !== undefined
  const engine = draft.engine ?? (draft.engineUrl !== undefined ? 'http' : real ? 'sglang' : 'mock')
  if (engine === 'sglang' && !real) {
    throw invalid('--model-path', 'SGLang needs a model: --model-path FOLDER, or --engine mock to try the server without one')
  }
  if (engine === 'http' && draft.engineUrl === undefined) {
    throw invalid('--engine-url', '--engine http needs the address of the SGLang server: --engine-url http://HOST:PORT')
  }
  if (draft.engineUrl !== undefined && engine !== 'http') throw invalid('--engine-url', `--engine-url is for --engine http, not ${engine}`)
  if (draft.engineUrl !== undefined && !/^https?:\/\/[^/]+/.test(draft.engineUrl)) {
    throw invalid('--engine-url', `--engine-url must be like http://HOST:PORT, not '${draft.engineUrl}'`)
  }
  return engine
}

/** SGLang's arguments with what our own flags add to them or take away. */
function arrange(draft: Values, rest: readonly string[], section: string | undefined, visionRole: VisionRole | undefined): string[] {
  // agg and pd are Dynamo's words for SGLang's null, which is the default: the flag is simply left out.
  const alone = draft.disaggregationMode !== 'prefill' && draft.disaggregationMode !== 'decode'
  const args = alone ? withoutFlag(rest, '--disaggregation-mode') : [...rest]
  // SGLang takes one name; aliases are ours.
  if (draft.servedModelName[0] !== undefined) args.push('--served-model-name', draft.servedModelName[0])
  if (draft.embeddingWorker && !draft.isEmbedding) args.push('--is-embedding')
  if (visionRole === 'language' && !draft.enableMultimodal) args.push('--enable-multimodal')
  if (section !== undefined) args.push('--config', writeSection(draft.disaggConfigKey!, section))
  return args
}

const isStatic = (backend: Settings['discoveryBackend']): boolean => backend === 'static' || backend === 'mem'

function withoutFlag(words: readonly string[], flag: string): string[] {
  return words.filter((word, i) => word !== flag && !word.startsWith(`${flag}=`) && words[i - 1] !== flag)
}

/** The chosen section of --disagg-config as YAML. */
function disaggSection(draft: Values): string | undefined {
  const { disaggConfig: path, disaggConfigKey: key } = draft
  if (path === undefined || key === undefined) return undefined
  const sections = readMapping(read(path, '--disagg-config'), path)
  const section = sections[key]
  if (section !== null && typeof section === 'object' && !Array.isArray(section)) return `${Bun.YAML.stringify(section, null, 2)}\n`
  throw invalid('--disagg-config-key', `${path} has no section '${key}'; it has: ${Object.keys(sections).join(', ')}`)
}

/** Writes a section to a temporary file of its own, which must live as long as the engine may restart, and returns its path. */
function writeSection(key: string, section: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'dynamo-sglang-'))
  // An engine that is started again reads it again.
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, `${key.replace(/[^\w.-]/g, '_')}.yaml`)
  writeFileSync(file, section, { mode: 0o600 })
  return file
}

function payload(written: string | undefined): Record<string, unknown> | undefined {
  if (written === undefined) return undefined
  const content = written.startsWith('@') ? read(written.slice(1), '--health-check-payload') : written
  try {
    const value: unknown = JSON.parse(content)
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {
    // Told below, with what is wanted instead.
  }
  throw invalid('--health-check-payload', '--health-check-payload (DYN_HEALTH_CHECK_PAYLOAD) must be a JSON object or @FILE with one')
}

function read(path: string, flag: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new AppError('invalid_setting', { param: flag, message: `${flag}: cannot read '${path}': ${(cause as Error).message}`, cause })
  }
}
