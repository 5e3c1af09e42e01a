// What one setting is, and the constructors that the table in settings.ts is written with. No logic beyond reading one value.
import { AppError } from '../../lib/errors.ts'

export type Command = 'serve' | 'frontend' | 'worker'
export type Group =
  | 'http'
  | 'model'
  | 'engine'
  | 'mock'
  | 'worker'
  | 'diffusion'
  | 'vision'
  | 'parsers'
  | 'routing'
  | 'admission'
  | 'disaggregation'
  | 'discovery'
  | 'planes'
  | 'lifetime'
  | 'files'
  | 'compat'
  | 'later'
export type Kind = 'text' | 'integer' | 'number' | 'flag' | 'list'

/** Optional facts of a setting. */
export interface Extra {
  values?: readonly string[]
  min?: number
  max?: number
  /** SGLang has this flag too: it stays in `engineArgs`, also when the value came from the environment or a file. */
  shared?: boolean
  /** `reserved`: accepted, told at start, without effect yet. `ignored`: the same for good. `refused`: a clear error when it is set. */
  state?: 'reserved' | 'ignored' | 'refused'
  /** Of an ignored one: why it has no effect here. */
  ignored?: string
  /** What to write in its place; told at start when it is given. */
  deprecated?: string
  /** Further variables that are read when the first is absent. */
  also?: readonly string[]
  hidden?: boolean
  /** Commands that know it; absent: all. */
  commands?: readonly Command[]
}

/** One setting: everything else (type, help, parsing, environment, file keys) is derived from it. T is the value's type. */
export interface Setting<T = unknown> extends Extra {
  readonly group: Group
  /** All spellings; the first long one is its name. Empty: only the environment and the file have it. */
  readonly flags: readonly string[]
  readonly env: string | undefined
  readonly kind: Kind
  readonly default: T
  readonly doc: string
}

export type ValueOf<S> = S extends Setting<infer T> ? T : never

/** Widens a literal default to its type and keeps `undefined`. */
type Or<T, D> = undefined extends D ? T | undefined : T

function make<T>(kind: Kind, group: Group, flags: string, env: string, value: T, doc: string, extra: Extra): Setting<T> {
  return { kind, group, flags: flags.split(' ').filter(Boolean), env: env === '' ? undefined : env, default: value, doc, ...extra }
}

/** The constructor of a kind whose default may be absent. `flags` are separated by spaces; `env` '' means none. */
function of<T>(kind: Kind) {
  return <const D extends T | undefined>(group: Group, flags: string, env: string, value: D, doc: string, extra: Extra = {}) =>
    make(kind, group, flags, env, value as Or<T, D>, doc, extra)
}

export const text = of<string>('text')
export const integer = of<number>('integer')
export const decimal = of<number>('number')

export function choice<const V extends readonly string[], const D extends V[number] | undefined>(
  group: Group,
  flags: string,
  env: string,
  values: V,
  value: D,
  doc: string,
  extra: Extra = {},
) {
  return make('text', group, flags, env, value as Or<V[number], D>, doc, { ...extra, values })
}

/** On, or off with `--no-…`; default off. */
export function flag(group: Group, flags: string, env: string, doc: string, extra: Extra = {}) {
  return make<boolean>('flag', group, flags, env, false, doc, extra)
}

/** On unless `--no-…`. */
export function flagOn(group: Group, flags: string, env: string, doc: string, extra: Extra = {}) {
  return make<boolean>('flag', group, flags, env, true, doc, extra)
}

/** Comma-separated, repeatable. */
export function list(group: Group, flags: string, env: string, doc: string, extra: Extra = {}) {
  return make<string[]>('list', group, flags, env, [], doc, extra)
}

/** The name a person knows it by: its first long flag, else its variable. */
export function nameOf(setting: Setting): string {
  return setting.flags.find((flag) => flag.startsWith('--')) ?? setting.flags[0] ?? setting.env ?? ''
}

const yes = ['1', 'true', 'yes', 'on']
const no = ['0', 'false', 'no', 'off', '']

/** Text as it was written somewhere to the setting's value. `where` is the flag, variable or file key, for the message. */
export function readValue(setting: Setting, raw: string, where: string): unknown {
  const fail = (message: string) => new AppError('invalid_setting', { param: where, message: `${where} ${message}, not '${raw}'` })
  if (setting.kind === 'flag') {
    const word = raw.trim().toLowerCase()
    if (yes.includes(word)) return true
    if (no.includes(word)) return false
    throw fail('is on or off: write true or false')
  }
  if (setting.kind === 'list') {
    return raw
      .split(/[,\s]+/)
      .map((item) => item.trim())
      .filter(Boolean)
  }
  if (setting.kind === 'text') {
    if (raw === '' && setting.default !== '') throw new AppError('invalid_setting', { param: where, message: `${where} needs a value` })
    if (setting.values && !setting.values.includes(raw)) throw fail(`must be one of: ${setting.values.join(', ')}`)
    return raw
  }
  // Dynamo's way to take a limit away.
  if (setting.default === undefined && raw.trim().toLowerCase() === 'none') return undefined
  const value = raw.trim() === '' ? Number.NaN : Number(raw)
  if (!Number.isFinite(value) || (setting.kind === 'integer' && !Number.isInteger(value))) {
    throw fail(setting.kind === 'integer' ? 'must be a whole number' : 'must be a number')
  }
  // A duration beyond that would end at once in a timer, and no count of ours is larger.
  if (Math.abs(value) > Number.MAX_SAFE_INTEGER) throw fail('is too large')
  if (setting.min !== undefined && value < setting.min) throw fail(`must be at least ${setting.min}`)
  if (setting.max !== undefined && value > setting.max) throw fail(`must be at most ${setting.max}`)
  return value
}
