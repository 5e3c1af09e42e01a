// Filters on one value: text, numbers, JSON, defaults. Those on sequences are in filters-list.ts.
import { TemplateFault } from '../fault.ts'
import { formatPercent } from '../operators.ts'
import { isNumber, iterate, type Named, numeric, PyFloat, toFloat, toText, truthy, typeName } from '../values.ts'
import { type JsonOptions, toJson } from './json.ts'
import { textMethods } from './methods.ts'
import { capitalize, splitBlanks, strip } from './text.ts'

export type Filter = (value: unknown, args: unknown[], named: Named) => unknown

/** Argument `at`, also by name; undefined when absent. */
export const arg = (args: unknown[], named: Named, at: number, name: string): unknown => (at < args.length ? args[at] : named?.[name])

const fallback: Filter = (value, args, named) => {
  const other = args.length > 0 || named?.default_value !== undefined ? arg(args, named, 0, 'default_value') : ''
  const falsy = truthy(arg(args, named, 1, 'boolean'))
  return value === undefined || (falsy && !truthy(value)) ? other : value
}

function tojson(value: unknown, args: unknown[], named: Named): string {
  if (args.length === 0 && named === null) return toJson(value)
  const indent = arg(args, named, 1, 'indent')
  const separators = arg(args, named, 2, 'separators')
  const [item, key] = separators == null ? [indent == null ? ', ' : ',', ': '] : iterate(separators).map(toText)
  const options: JsonOptions = {
    ensureAscii: truthy(arg(args, named, 0, 'ensure_ascii')),
    indent: indent == null ? null : typeof indent === 'string' ? indent : ' '.repeat(Number(indent)),
    itemSeparator: item!,
    keySeparator: key!,
    sortKeys: truthy(arg(args, named, 3, 'sort_keys')),
  }
  return toJson(value, options)
}

/** Text with every line but the first moved in; `first` and `blank` also those. */
function indent(value: unknown, args: unknown[], named: Named): string {
  const width = arg(args, named, 0, 'width') ?? 4
  const pad = typeof width === 'string' ? width : ' '.repeat(Number(width))
  const first = truthy(arg(args, named, 1, 'first'))
  const blank = truthy(arg(args, named, 2, 'blank'))
  const [head = '', ...rest] = `${toText(value)}\n`.slice(0, -1).split('\n')
  const moved = [head, ...rest.map((line) => (line !== '' || blank ? pad + line : line))].join('\n')
  return first ? pad + moved : moved
}

function truncate(value: unknown, args: unknown[], named: Named): string {
  const text = [...toText(value)]
  const length = Number(arg(args, named, 0, 'length') ?? 255)
  const end = toText(arg(args, named, 2, 'end') ?? '...')
  const leeway = Number(arg(args, named, 3, 'leeway') ?? 5)
  if (text.length <= length + leeway) return text.join('')
  const cut = text.slice(0, length - end.length).join('')
  if (truthy(arg(args, named, 1, 'killwords'))) return cut + end
  const space = cut.lastIndexOf(' ')
  return (space === -1 ? cut : cut.slice(0, space)) + end
}

function toInt(value: unknown, args: unknown[], named: Named): unknown {
  const other = arg(args, named, 0, 'default') ?? 0
  const base = Number(arg(args, named, 1, 'base') ?? 10)
  if (isNumber(value)) return Math.trunc(numeric(value))
  if (typeof value !== 'string') return other
  const text = strip(value).replaceAll('_', '')
  if (base === 10 && /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return Math.trunc(Number(text))
  const parsed = Number.parseInt(text.replace(/^0[xob]/i, ''), base)
  return base !== 10 && !Number.isNaN(parsed) ? parsed : other
}

function round(value: unknown, args: unknown[], named: Named): unknown {
  if (!isNumber(value)) throw new TemplateFault(`type ${typeName(value)} doesn't define __round__ method`)
  const scale = 10 ** Number(arg(args, named, 0, 'precision') ?? 0)
  const method = arg(args, named, 1, 'method') ?? 'common'
  const scaled = numeric(value) * scale
  const half = Math.abs(scaled % 1) === 0.5
  const common = half ? 2 * Math.round(scaled / 2) : Math.round(scaled)
  return toFloat((method === 'ceil' ? Math.ceil(scaled) : method === 'floor' ? Math.floor(scaled) : common) / scale)
}

const escapes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', "'": '&#39;', '"': '&#34;' }
export const escapeHtml = (value: unknown): string => toText(value).replace(/[&<>'"]/g, (char) => escapes[char]!)

export const valueFilters: Record<string, Filter> = {
  default: fallback,
  d: fallback,
  tojson,
  string: (value) => toText(value),
  safe: (value) => toText(value),
  escape: escapeHtml,
  e: escapeHtml,
  trim: (value, args, named) => strip(toText(value), arg(args, named, 0, 'chars') as string | undefined),
  upper: (value) => toText(value).toUpperCase(),
  lower: (value) => toText(value).toLowerCase(),
  capitalize: (value) => capitalize(toText(value)),
  title: (value) => toText(value).replace(/[^-\s({[<]+/g, capitalize),
  replace: (value, args, named) =>
    textMethods.replace!(
      toText(value),
      [toText(arg(args, named, 0, 'old')), toText(arg(args, named, 1, 'new')), arg(args, named, 2, 'count')],
      null,
    ),
  indent,
  truncate,
  center: (value, args, named) => {
    const text = toText(value)
    const missing = Math.max(0, Number(arg(args, named, 0, 'width') ?? 80) - text.length)
    const left = Math.floor(missing / 2)
    return ' '.repeat(left) + text + ' '.repeat(missing - left)
  },
  wordcount: (value) => splitBlanks(toText(value)).filter((word) => /\w/.test(word)).length,
  format: (value, args) => formatPercent(toText(value), args),
  urlencode: (value) =>
    encodeURIComponent(toText(value))
      .replaceAll('%2F', '/')
      .replace(/[!'()*]/g, (x) => `%${x.charCodeAt(0).toString(16).toUpperCase()}`),
  int: toInt,
  float: (value, args, named) => {
    if (isNumber(value)) return toFloat(numeric(value))
    const text = typeof value === 'string' ? strip(value) : ''
    return text !== '' && !Number.isNaN(Number(text)) ? toFloat(Number(text)) : (arg(args, named, 0, 'default') ?? new PyFloat(0))
  },
  abs: (value) => {
    if (!isNumber(value)) throw new TemplateFault(`bad operand type for abs(): '${typeName(value)}'`)
    return value instanceof PyFloat ? new PyFloat(Math.abs(value.value)) : Math.abs(numeric(value))
  },
  round,
}
