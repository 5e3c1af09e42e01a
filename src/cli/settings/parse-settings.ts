// argv, environment and files to one checked Settings. Pure but for the files it is told to read; the rules between settings are here.
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AppError } from '../../lib/errors.ts'
import { closest } from './closest.ts'
import { flagWords, type Given, readArgv, readEnv, readFile, readMapping, spellings, type Table } from './read-settings.ts'
import { type Command, nameOf, type Setting } from './setting.ts'
import { type Settings, table, type Values } from './settings.ts'

/** Precedence: argv, environment, settings file, SGLang's --config, default. Throws AppError `invalid_setting` that says what to do. */
export function parseSettings(argv: readonly string[], env: Readonly<Record<string, string | undefined>>, command: Command): Settings {
  const { given, rest } = readArgv(table, argv)
  for (const name of given.keys()) checkCommand(name, command)
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
  const engine = chooseEngine(draft)
  checkTogether(draft, engine)
  const engineArgs = arrange(draft, rest, section)
  if (engine === 'mock' && draft.engine === undefined) refuseForeign(engineArgs)
  return {
    ...draft,
    command,
    engine,
    embeddingWorker: draft.embeddingWorker || draft.isEmbedding,
    systemPort: (draft.systemPort ?? -1) < 0 ? undefined : draft.systemPort,
    ...address(draft),
    healthCheckPayload: payload(draft.healthCheckPayload),
    engineArgs,
    notices: noticesFor(given, draft, engine, engineArgs),
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

function chooseEngine(draft: Values): Settings['engine'] {
  const engine = draft.engine ?? (draft.engineUrl !== undefined ? 'http' : draft.modelPath !== undefined ? 'sglang' : 'mock')
  if (engine === 'sglang' && draft.modelPath === undefined) {
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

function checkTogether(draft: Values, engine: Settings['engine']): void {
  for (const [name, setting] of Object.entries(table) as [keyof Values, Setting][]) {
    if (setting.state === 'refused' && draft[name]) throw invalid(nameOf(setting), `${nameOf(setting)} is not in this version yet`)
  }
  if (draft.useSglangTokenizer && draft.customJinjaTemplate !== undefined) {
    throw invalid(
      '--custom-jinja-template',
      '--custom-jinja-template and --use-sglang-tokenizer exclude each other: with the latter SGLang renders its own template',
    )
  }
  if (draft.useSglangTokenizer && engine !== 'sglang') {
    throw invalid('--use-sglang-tokenizer', `--use-sglang-tokenizer needs --engine sglang, not ${engine}`)
  }
  if (draft.useSglangTokenizer && draft.embeddingWorker) {
    throw invalid('--use-sglang-tokenizer', '--use-sglang-tokenizer serves chat completions only; leave it out for --embedding-worker')
  }
  if (draft.customJinjaTemplate !== undefined && !existsSync(draft.customJinjaTemplate)) {
    throw invalid('--custom-jinja-template', `--custom-jinja-template: there is no file '${draft.customJinjaTemplate}'`)
  }
  if (['prefill', 'decode', 'encode'].includes(draft.disaggregationMode)) {
    throw invalid('--disaggregation-mode', `--disaggregation-mode ${draft.disaggregationMode} is not in this version yet`)
  }
}

function checkPairs(draft: Values): void {
  bothOrNeither('--disagg-config', draft.disaggConfig, '--disagg-config-key', draft.disaggConfigKey)
  bothOrNeither('--tls-cert-path', draft.tlsCertPath, '--tls-key-path', draft.tlsKeyPath)
  if (draft.disaggConfig !== undefined && draft.sglangConfig !== undefined) {
    throw invalid('--disagg-config', "--disagg-config becomes SGLang's --config, so the two exclude each other")
  }
}

function bothOrNeither(oneName: string, one: unknown, otherName: string, other: unknown): void {
  if ((one === undefined) === (other === undefined)) return
  const missing = one === undefined ? oneName : otherName
  throw invalid(missing, `${oneName} and ${otherName} must be given together: ${missing} is missing`)
}

/** SGLang's arguments with what our own flags add to them or take away. */
function arrange(draft: Values, rest: readonly string[], section: string | undefined): string[] {
  const args = withoutFlag(rest, '--disaggregation-mode')
  // SGLang takes one name; aliases are ours.
  if (draft.servedModelName[0] !== undefined) args.push('--served-model-name', draft.servedModelName[0])
  if (draft.embeddingWorker && !draft.isEmbedding) args.push('--is-embedding')
  if (section !== undefined) args.push('--config', writeSection(draft.disaggConfigKey!, section))
  return args
}

/** agg and pd are Dynamo's words for SGLang's null, which is the default: the flag is simply left out. */
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
  const file = join(mkdtempSync(join(tmpdir(), 'dynamo-sglang-')), `${key.replace(/[^\w.-]/g, '_')}.yaml`)
  writeFileSync(file, section, { mode: 0o600 })
  return file
}

function address(draft: Values): { endpoint: string; namespace: string } {
  const endpoint = draft.endpoint ?? `dyn://${draft.namespace}.backend.generate`
  const parts = /^dyn:\/\/([\w-]+)\.([\w-]+)\.([\w-]+)$/.exec(endpoint)
  if (!parts) throw invalid('--endpoint', `--endpoint must be dyn://namespace.component.endpoint, not '${endpoint}'`)
  return { endpoint, namespace: parts[1]! }
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

/** Flags for SGLang without a model are a mistake, not a wish for made-up text. */
function refuseForeign(engineArgs: readonly string[]): void {
  const known = spellings(table)
  const flag = engineArgs.find((word) => word.startsWith('--') && !known.has(word.split('=')[0]!))?.split('=')[0]
  if (flag === undefined) return
  const near = closest(flag, known.keys())
  throw invalid(
    flag,
    `${flag} is not ours${near === undefined ? '' : ` (did you mean ${near}?)`}, and without --model-path there is no SGLang that it could go to. ` +
      'Give --model-path, or --engine mock to try the server without a model.',
  )
}

function noticesFor(given: Given, draft: Values, engine: Settings['engine'], engineArgs: readonly string[]): string[] {
  const notices: string[] = []
  for (const [name, setting] of Object.entries(table) as [keyof Values, Setting][]) {
    if (setting.state !== 'reserved' || !given.has(name) || draft[name] === setting.default) continue
    notices.push(`${nameOf(setting)}${setting.kind === 'flag' ? '' : ` ${draft[name]}`}: accepted, but not yet in effect in this version`)
  }
  if (draft.useSglangTokenizer) notices.push('--use-sglang-tokenizer is deprecated')
  const known = spellings(table)
  const flags = engineArgs.filter((word) => word.startsWith('--')).map((word) => word.split('=')[0]!)
  for (const flag of new Set(flags)) {
    if (known.has(flag)) continue
    if (flag === '--port') notices.push('--port goes to SGLang; the port of the OpenAI API is --http-port')
    if (flag === '--chat-template') notices.push('--chat-template goes to SGLang, which renders nothing here; use --custom-jinja-template')
    const near = closest(flag, known.keys())
    if (near !== undefined) notices.push(`${flag} is not ours and goes to SGLang; did you mean ${near}?`)
    const parser = flag === '--tool-call-parser' || flag === '--reasoning-parser'
    if (parser)
      notices.push(
        `${flag} has no effect yet: answers come as plain text; tool calls are parsed for tool_choice "required" or a named function`,
      )
    if (engine !== 'sglang') notices.push(`${flag} has no effect with --engine ${engine}`)
  }
  return notices
}

function read(path: string, flag: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new AppError('invalid_setting', { param: flag, message: `${flag}: cannot read '${path}': ${(cause as Error).message}`, cause })
  }
}

function invalid(param: string, message: string): AppError {
  return new AppError('invalid_setting', { param, message })
}
