// The values of a rendering template, as Python would hold them: None is null, a missing name is undefined, dicts are plain objects.
import { TemplateFault } from './fault.ts'
import { points } from './library/text.ts'

/** A float that JavaScript would print as an integer (1.0). Other floats are plain numbers. */
export class PyFloat {
  readonly value: number
  constructor(value: number) {
    this.value = value
  }
}

/** namespace(): the only thing whose attributes a template may set. */
export class Namespace {
  readonly fields: Map<string, unknown>
  constructor(fields: Map<string, unknown>) {
    this.fields = fields
  }
}

export class Tuple extends Array<unknown> {}

/** A tuple of these items. */
export function tuple(items: Iterable<unknown>): Tuple {
  const made = new Tuple()
  for (const item of items) made.push(item)
  return made
}

/** What map, select, reverse … give: a generator. Always true, has no length, and is empty the second time. */
export class Lazy {
  private items: readonly unknown[] | null
  constructor(items: readonly unknown[]) {
    this.items = items
  }
  /** Everything that is left; nothing is left after. */
  take(): readonly unknown[] {
    const items = this.items ?? []
    this.items = null
    return items
  }
  /** The next item only. */
  first(): unknown {
    const item = this.items?.[0]
    this.items = this.items?.slice(1) ?? null
    return item
  }
}

export type Named = Record<string, unknown> | null
/** A function of the template world: positional and named arguments. */
export type Callable = (args: unknown[], named: Named) => unknown
export type Dict = Record<string, unknown>
/** A dict literal with keys that are not all strings. */
export type KeyedDict = Map<unknown, unknown>

/** Any dict's pairs, in order. */
export const entriesOf = (dict: Dict | KeyedDict): [unknown, unknown][] => (dict instanceof Map ? [...dict] : Object.entries(dict))

/** True for both forms of dict. */
export const isMapping = (value: unknown): value is Dict | KeyedDict => value instanceof Map || isDict(value)

export function isDict(value: unknown): value is Dict {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

export const isNumber = (value: unknown): value is number | PyFloat | boolean =>
  typeof value === 'number' || typeof value === 'boolean' || value instanceof PyFloat

/** The Python number that a JSON text is: an int of any length, or a float. */
export function numberOf(source: string): number | bigint | PyFloat {
  const value = Number(source)
  if (/[.eE]/.test(source)) return toFloat(value)
  return Number.isSafeInteger(value) ? value : BigInt(source)
}

export const isFloat = (value: unknown) => value instanceof PyFloat || (typeof value === 'number' && !Number.isInteger(value))

/** The number inside; booleans count as 0 and 1. */
export const numeric = (value: number | PyFloat | boolean): number => (value instanceof PyFloat ? value.value : Number(value))

/** A float result: wrapped when JavaScript would show it as an integer. */
export const toFloat = (value: number): number | PyFloat => (Number.isInteger(value) ? new PyFloat(value) : value)

/** Python's name of a value's type, for messages. */
export function typeName(value: unknown): string {
  if (value === undefined) return 'Undefined'
  if (value === null) return 'NoneType'
  if (typeof value === 'boolean') return 'bool'
  if (typeof value === 'string') return 'str'
  if (isFloat(value)) return 'float'
  if (typeof value === 'number' || typeof value === 'bigint') return 'int'
  if (value instanceof Tuple) return 'tuple'
  if (Array.isArray(value)) return 'list'
  if (isMapping(value)) return 'dict'
  if (value instanceof Lazy) return 'generator'
  return typeof value === 'function' ? 'function' : 'object'
}

export function truthy(value: unknown): boolean {
  if (typeof value === 'boolean') return value
  if (!value) return false
  if (typeof value !== 'object') return true
  if (Array.isArray(value)) return value.length > 0
  if (value instanceof PyFloat) return value.value !== 0
  if (isDict(value)) {
    for (const _ in value) return true
    return false
  }
  if (value instanceof Map) return value.size > 0
  return true
}

/** str(value), as `{{ }}` and `~` print it; undefined is empty. */
export function toText(value: unknown): string {
  if (typeof value === 'string') return value
  return value === undefined ? '' : repr(value)
}

/** Python's repr. */
export function repr(value: unknown): string {
  if (typeof value === 'string') return reprText(value)
  if (value === undefined) return 'Undefined'
  if (value === null) return 'None'
  if (value === true) return 'True'
  if (value === false) return 'False'
  if (typeof value === 'number') return numberText(value)
  if (typeof value === 'bigint') return String(value)
  if (value instanceof PyFloat) return floatText(value.value)
  if (value instanceof Tuple) return value.length === 1 ? `(${repr(value[0])},)` : `(${Array.from(value, repr).join(', ')})`
  if (Array.isArray(value)) return `[${value.map(repr).join(', ')}]`
  if (isMapping(value))
    return `{${entriesOf(value)
      .map(([key, item]) => `${repr(key)}: ${repr(item)}`)
      .join(', ')}}`
  if (value instanceof Namespace) return `<Namespace ${repr(Object.fromEntries(value.fields))}>`
  return `<${typeName(value)}>`
}

/** A whole number is taken for an int; others are written as Python's float repr does. */
export function numberText(value: number): string {
  return Number.isSafeInteger(value)
    ? String(value)
    : Number.isInteger(value) && Math.abs(value) < 1e21
      ? BigInt(value).toString()
      : floatText(value)
}

/** Python's repr of a float: an exponent from 1e16 on and below 1e-4, two digits at least. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  const size = Math.abs(value)
  if (value !== 0 && (size >= 1e16 || size < 1e-4)) {
    const [digits, exponent] = value.toExponential().split('e') as [string, string]
    return `${digits}e${exponent[0]}${exponent.slice(1).padStart(2, '0')}`
  }
  return Number.isInteger(value) ? `${Object.is(value, -0) ? '-0' : value}.0` : String(value)
}

const shortEscapes: Record<string, string> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' }
const unprintable = /[\\\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu

function reprText(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'"
  const escaped = text.replace(unprintable, (char) => {
    const short = shortEscapes[char]
    if (short !== undefined) return short
    const code = char.codePointAt(0)!
    const hex = code.toString(16)
    return code < 0x100 ? `\\x${hex.padStart(2, '0')}` : code < 0x10000 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`
  })
  return quote + (quote === "'" ? escaped.replaceAll("'", "\\'") : escaped) + quote
}

/** Python's ==: by value, True equals 1. */
export function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a === 'string' || typeof b === 'string' || a == null || b == null) return false
  if (isNumber(a) && isNumber(b)) return numeric(a) === numeric(b)
  if (Array.isArray(a) && Array.isArray(b))
    return a instanceof Tuple === b instanceof Tuple && a.length === b.length && a.every((item, i) => equal(item, b[i]))
  if (!isMapping(a) || !isMapping(b)) return false
  const [left, right] = [new Map(entriesOf(a)), new Map(entriesOf(b))]
  return left.size === right.size && [...left].every(([key, item]) => right.has(key) && equal(item, right.get(key)))
}

/** The items of anything that Python can iterate. */
export function iterate(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value
  if (value === undefined) return []
  if (typeof value === 'string') {
    const chars = points(value)
    return typeof chars === 'string' ? chars.split('') : chars
  }
  if (value instanceof Lazy) return value.take()
  if (isDict(value)) return Object.keys(value)
  if (value instanceof Map) return [...value.keys()]
  throw new TemplateFault(`'${typeName(value)}' object is not iterable`)
}

/** len(value). */
export function lengthOf(value: unknown): number {
  if (Array.isArray(value)) return value.length
  if (typeof value === 'string') {
    const chars = points(value)
    return chars.length
  }
  if (value === undefined) return 0
  if (isDict(value)) return Object.keys(value).length
  if (value instanceof Map) return value.size
  throw new TemplateFault(`object of type '${typeName(value)}' has no len()`)
}
