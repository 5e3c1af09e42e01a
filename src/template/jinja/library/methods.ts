// The methods that a template may call on strings, lists and dicts. What would change a value is refused, as in transformers' sandbox.
import { TemplateFault } from '../fault.ts'
import {
  type Dict,
  entriesOf,
  equal,
  isMapping,
  iterate,
  type KeyedDict,
  type Named,
  Namespace,
  Tuple,
  toText,
  tuple,
  typeName,
} from '../values.ts'
import { capitalize, isBlank, points, splitBlanks, strip, stripEnd, stripStart } from './text.ts'

type Method<T> = (self: T, args: unknown[], named: Named) => unknown

const text = (value: unknown, method: string): string => {
  if (typeof value === 'string') return value
  throw new TemplateFault(`${method}() argument must be str, not ${typeName(value)}`)
}
const optionalText = (value: unknown, method: string) => (value === undefined || value === null ? undefined : text(value, method))
/** A prefix or suffix argument: one string or a tuple of them. */
const anyOf = (value: unknown, method: string) => (value instanceof Tuple ? value.map((x) => text(x, method)) : [text(value, method)])
const whole = (value: unknown, fallback: number) => (typeof value === 'number' ? value : fallback)

function split(self: string, args: unknown[], named: Named, fromEnd: boolean): string[] {
  const separator = optionalText(args[0] ?? named?.sep, 'split')
  const limit = whole(args[1] ?? named?.maxsplit, -1)
  if (separator === '') throw new TemplateFault('empty separator')
  if (separator === undefined) {
    if (!fromEnd || limit < 0) return splitBlanks(self, limit)
    const reversed = splitBlanks([...self].reverse().join(''), limit)
    return reversed.reverse().map((part) => [...part].reverse().join(''))
  }
  const parts = self.split(separator)
  if (limit < 0 || parts.length <= limit + 1) return parts
  if (fromEnd) return [parts.slice(0, parts.length - limit).join(separator), ...parts.slice(parts.length - limit)]
  return [...parts.slice(0, limit), parts.slice(limit).join(separator)]
}

function replace(self: string, args: unknown[], named: Named): string {
  const [from, to] = [text(args[0], 'replace'), text(args[1], 'replace')]
  const limit = whole(args[2] ?? named?.count, -1)
  if (limit < 0) return self.replaceAll(from, () => to)
  let left = limit
  return self.replaceAll(from, (found) => (left-- > 0 ? to : found))
}

function find(self: string, args: unknown[], last: boolean): number {
  const needle = text(args[0], 'find')
  const at = last ? self.lastIndexOf(needle) : self.indexOf(needle, whole(args[1], 0))
  return at <= 0 ? at : points(self.slice(0, at)).length
}

const pad = (self: string, args: unknown[], start: boolean) => {
  const missing = whole(args[0], 0) - points(self).length
  const fill = (optionalText(args[1], 'just') ?? ' ').repeat(Math.max(0, missing))
  return start ? fill + self : self + fill
}

const partition = (self: string, at: number, separator: string, last: boolean) => {
  if (at === -1) return tuple(last ? ['', '', self] : [self, '', ''])
  return tuple([self.slice(0, at), separator, self.slice(at + separator.length)])
}

// Every line end that Python's splitlines knows.
const lineEnds = '\\r\\n|[\\n\\r\\v\\f\\x1c-\\x1e\\x85\\u2028\\u2029]'
const lineEnd = new RegExp(lineEnds)
const lastLineEnd = new RegExp(`(?:${lineEnds})$`)

const cased = /[\p{Lu}\p{Ll}\p{Lt}]/u

export const textMethods: Record<string, Method<string>> = {
  strip: (self, [chars]) => strip(self, optionalText(chars, 'strip')),
  lstrip: (self, [chars]) => stripStart(self, optionalText(chars, 'lstrip')),
  rstrip: (self, [chars]) => stripEnd(self, optionalText(chars, 'rstrip')),
  split: (self, args, named) => split(self, args, named, false),
  rsplit: (self, args, named) => split(self, args, named, true),
  splitlines: (self) => (self === '' ? [] : self.replace(lastLineEnd, '').split(lineEnd)),
  partition: (self, [separator]) => partition(self, self.indexOf(text(separator, 'partition')), separator as string, false),
  rpartition: (self, [separator]) => partition(self, self.lastIndexOf(text(separator, 'rpartition')), separator as string, true),
  startswith: (self, [prefix]) => anyOf(prefix, 'startswith').some((x) => self.startsWith(x)),
  endswith: (self, [suffix]) => anyOf(suffix, 'endswith').some((x) => self.endsWith(x)),
  removeprefix: (self, [prefix]) => (self.startsWith(text(prefix, 'removeprefix')) ? self.slice((prefix as string).length) : self),
  removesuffix: (self, [suffix]) =>
    self.endsWith(text(suffix, 'removesuffix')) ? self.slice(0, self.length - (suffix as string).length) : self,
  replace,
  upper: (self) => self.toUpperCase(),
  lower: (self) => self.toLowerCase(),
  casefold: (self) => self.toLowerCase().replaceAll('ß', 'ss'),
  title: (self) => self.replace(/\p{L}+/gu, capitalize),
  capitalize,
  swapcase: (self) => self.replace(/\p{L}/gu, (x) => (x === x.toUpperCase() ? x.toLowerCase() : x.toUpperCase())),
  find: (self, args) => find(self, args, false),
  rfind: (self, args) => find(self, args, true),
  index: (self, args) => {
    const at = find(self, args, false)
    if (at === -1) throw new TemplateFault('substring not found')
    return at
  },
  count: (self, [needle]) => (needle === '' ? points(self).length + 1 : self.split(text(needle, 'count')).length - 1),
  join: (self, [items]) => Array.from(iterate(items), (item) => text(item, 'join')).join(self),
  ljust: (self, args) => pad(self, args, false),
  rjust: (self, args) => pad(self, args, true),
  zfill: (self, args) =>
    /^[+-]/.test(self) ? self[0] + pad(self.slice(1), [whole(args[0], 0) - 1, '0'], true) : pad(self, [args[0], '0'], true),
  isdigit: (self) => /^\p{Nd}+$/u.test(self),
  isdecimal: (self) => /^\p{Nd}+$/u.test(self),
  isnumeric: (self) => /^\p{N}+$/u.test(self),
  isalpha: (self) => /^\p{L}+$/u.test(self),
  isalnum: (self) => /^[\p{L}\p{N}]+$/u.test(self),
  isspace: isBlank,
  isupper: (self) => cased.test(self) && self === self.toUpperCase(),
  islower: (self) => cased.test(self) && self === self.toLowerCase(),
  format: (self, args, named) => formatBraces(self, args, named),
}

/** str.format with `{}`, `{0}` and `{name}`; format specifications are refused. */
function formatBraces(format: string, args: unknown[], named: Named): string {
  let at = 0
  return format.replace(/\{\{|\}\}|\{([^{}]*)\}/g, (found, field: string | undefined) => {
    if (field === undefined) return found[0]!
    if (/[:!.[]/.test(field)) throw new TemplateFault(`format fields like {${field}} are not supported`)
    const known =
      field === '' || /^\d+$/.test(field) ? (field === '' ? at++ : Number(field)) < args.length : Object.hasOwn(named ?? {}, field)
    if (!known) throw new TemplateFault(`format: no argument for {${field}}`)
    return toText(field === '' ? args[at - 1] : /^\d+$/.test(field) ? args[Number(field)] : named![field])
  })
}

const listMethods: Record<string, Method<readonly unknown[]>> = {
  index: (self, [item]) => {
    const at = self.findIndex((x) => equal(x, item))
    if (at === -1) throw new TemplateFault('value is not in list')
    return at
  },
  count: (self, [item]) => self.filter((x) => equal(x, item)).length,
  copy: (self) => [...self],
}

const dictMethods: Record<string, Method<Dict | KeyedDict>> = {
  get: (self, [key, fallback = null]) => {
    if (self instanceof Map) return self.has(key) ? self.get(key) : fallback
    return typeof key === 'string' && Object.hasOwn(self, key) ? self[key] : fallback
  },
  items: (self) => itemsOf(self),
  keys: (self) => iterate(self),
  values: (self) => entriesOf(self).map(([, value]) => value),
  copy: (self) => (self instanceof Map ? new Map(self) : { ...self }),
}

const changing = new Set('append clear pop reverse insert sort extend remove popitem setdefault update add discard'.split(' '))

/** dict.items(): a list of pairs. */
export const itemsOf = (dict: Dict | KeyedDict): Tuple[] => entriesOf(dict).map(tuple)

/** The method `name` of a value, or undefined when its type has none. A method that changes the value throws when it is called. */
export function methodOf(value: unknown, name: string): ((args: unknown[], named: Named) => unknown) | undefined {
  let table: Record<string, Method<never>> | undefined
  if (typeof value === 'string') table = textMethods
  else if (Array.isArray(value)) table = listMethods
  else if (isMapping(value)) table = dictMethods
  else if (value instanceof Namespace) return undefined
  if (table === undefined) return undefined
  if (Object.hasOwn(table, name)) {
    const method = table[name]!
    return (args, named) => method(value as never, args, named)
  }
  if (typeof value === 'string' || !changing.has(name)) return undefined
  return () => {
    throw new TemplateFault(`access to attribute '${name}' of '${typeName(value)}' object is unsafe.`)
  }
}
