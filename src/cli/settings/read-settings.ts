// Where settings come from: argv, the environment, a settings file, SGLang's own --config file. Generic over the table; knows no single setting.
// Our own loop instead of a library's: flags that are SGLang's too must stay in place, spelled as they were, between the ones we do not know.
import { AppError } from '../../lib/errors.ts'
import { nameOf, readValue, type Setting } from './setting.ts'

export type Table = Readonly<Record<string, Setting>>
export type Given = Map<string, unknown>

interface Spelling {
  name: string
  setting: Setting
  /** True for the `--no-…` form of a flag. */
  off: boolean
}

/** Every accepted spelling of every flag. */
export function spellings(table: Table): Map<string, Spelling> {
  const all = new Map<string, Spelling>()
  for (const [name, setting] of Object.entries(table)) {
    for (const flag of setting.flags) {
      all.set(flag, { name, setting, off: false })
      if (setting.kind === 'flag' && !setting.shared) all.set(flag.replace(/^--/, '--no-'), { name, setting, off: true })
    }
  }
  return all
}

/** Reads argv. `rest` has what goes to SGLang: unknown words and shared flags, verbatim and in order. */
export function readArgv(table: Table, argv: readonly string[]): { given: Given; rest: string[] } {
  const known = spellings(table)
  const given: Given = new Map()
  const rest: string[] = []
  /** What a word without dashes belongs to: a flag that we do not know may have any number of values. */
  let owner: 'nobody' | 'sglang' | string[] = 'nobody'
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!
    if (word === '--') {
      rest.push(...argv.slice(i + 1))
      break
    }
    const equals = word.startsWith('--') ? word.indexOf('=') : -1
    const flag = equals < 0 ? word : word.slice(0, equals)
    const spelling = known.get(flag)
    if (!spelling) {
      if (word.startsWith('-')) owner = 'sglang'
      if (Array.isArray(owner)) owner.push(word)
      else if (owner === 'sglang') rest.push(word)
      else throw new AppError('invalid_setting', { param: word, message: `'${word}' stands alone: it follows no flag that takes it` })
      continue
    }
    const { name, setting, off } = spelling
    const words = [word]
    let raw: string
    if (setting.kind === 'flag') {
      raw = equals < 0 ? 'true' : word.slice(equals + 1)
    } else if (equals >= 0) {
      raw = word.slice(equals + 1)
    } else {
      const next = argv[i + 1]
      if (next === undefined || next.startsWith('--')) {
        throw new AppError('invalid_setting', { param: flag, message: `${flag} needs a value: ${flag} VALUE or ${flag}=VALUE` })
      }
      raw = next
      words.push(next)
      i++
    }
    const value = readValue(setting, raw, flag)
    owner = 'nobody'
    if (setting.kind === 'list') {
      owner = [...((given.get(name) as string[] | undefined) ?? []), ...(value as string[])]
      given.set(name, owner)
    } else given.set(name, off ? !value : value)
    if (setting.shared && setting.kind !== 'list') rest.push(...words)
  }
  return { given, rest }
}

/** Reads the environment; an empty variable counts as absent. */
export function readEnv(table: Table, env: Readonly<Record<string, string | undefined>>): Given {
  const given: Given = new Map()
  for (const [name, setting] of Object.entries(table)) {
    const variable = setting.env === undefined ? undefined : [setting.env, ...(setting.also ?? [])].find((one) => env[one])
    if (variable !== undefined) given.set(name, readValue(setting, env[variable]!, variable))
  }
  return given
}

/** Reads a settings file (YAML, so JSON too). Keys are flags without their dashes, with - or _; `rest` has unknown keys as SGLang's flags. */
export function readFile(table: Table, content: string, path: string): { given: Given; rest: string[] } {
  const keys = new Map<string, string>()
  for (const [name, setting] of Object.entries(table)) {
    // A key is a flag's name, so that what is SGLang's on the command line is SGLang's here (log-level is not --dyn-log-level).
    for (const key of setting.flags.length > 0 ? setting.flags : [name]) keys.set(plain(key), name)
  }
  const given: Given = new Map()
  const rest: string[] = []
  for (const [key, value] of Object.entries(readMapping(content, path))) {
    const name = keys.get(plain(key))
    if (value === null || value === undefined) continue
    if (name === undefined) rest.push(...asFlags(key, value, path))
    else given.set(name, readValue(table[name]!, asText(value, key, path), `${path}: ${key}`))
  }
  return { given, rest }
}

/** The top-level mapping of a YAML or JSON file. Throws AppError `invalid_setting`. */
export function readMapping(content: string, path: string): Record<string, unknown> {
  let value: unknown
  try {
    value = Bun.YAML.parse(content)
  } catch (cause) {
    throw new AppError('invalid_setting', { param: path, message: `${path} is not valid YAML or JSON: ${(cause as Error).message}`, cause })
  }
  if (value === null || value === undefined) return {}
  if (typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>
  throw new AppError('invalid_setting', { param: path, message: `${path} must hold 'name: value' lines` })
}

/** A setting as SGLang's flag, for values that did not come from argv. */
export function flagWords(setting: Setting, value: unknown): string[] {
  if (setting.kind === 'flag') return value ? [nameOf(setting)] : []
  return [nameOf(setting), String(value)]
}

const plain = (key: string): string => key.replace(/[-_]/g, '').toLowerCase()

function asText(value: unknown, key: string, path: string): string {
  if (Array.isArray(value)) return value.map((item) => asText(item, key, path)).join(',')
  if (typeof value !== 'object') return String(value)
  // Settings that are JSON on the command line may be written out in the file.
  return JSON.stringify(value)
}

function asFlags(key: string, value: unknown, path: string): string[] {
  const flag = `--${key.replace(/^-+/, '').replaceAll('_', '-')}`
  if (value === true) return [flag]
  if (value === false) return []
  if (Array.isArray(value)) return [flag, ...value.map((item) => asText(item, key, path))]
  return [flag, asText(value, key, path)]
}
