// json.dumps as transformers' tojson calls it: no ASCII escapes, ", " and ": " between, no HTML escapes.
import { TemplateFault } from '../fault.ts'
import { type Dict, floatText, isDict, type KeyedDict, numberText, PyFloat, typeName } from '../values.ts'
import { compareText } from './text.ts'

export interface JsonOptions {
  ensureAscii: boolean
  /** One level's indent; null: all on one line. */
  indent: string | null
  itemSeparator: string
  keySeparator: string
  sortKeys: boolean
}

const plain: JsonOptions = { ensureAscii: false, indent: null, itemSeparator: ', ', keySeparator: ': ', sortKeys: false }

/** Throws TemplateFault for what has no JSON (undefined, a namespace, a generator), as Python raises TypeError. */
export function toJson(value: unknown, options: JsonOptions = plain): string {
  return options === plain ? compact(value) : spread(value, options, '\n')
}

/** The everyday case, without options to look at. */
function compact(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (Array.isArray(value)) {
    if (value.length === 0) return '[]'
    let text = `[${compact(value[0])}`
    for (let i = 1; i < value.length; i++) text += `, ${compact(value[i])}`
    return `${text}]`
  }
  if (isDict(value)) {
    let text = ''
    for (const key in value) text += `${text === '' ? '{' : ', '}${JSON.stringify(key)}: ${compact(value[key])}`
    return text === '' ? '{}' : `${text}}`
  }
  if (value instanceof Map) return compact(plainDict(value))
  return scalar(value)
}

/** A dict's number keys as texts, as json.dumps writes them. */
const plainDict = (dict: KeyedDict): Dict =>
  Object.fromEntries(Array.from(dict, ([key, item]) => [typeof key === 'string' ? key : scalar(key), item]))

function scalar(value: unknown): string {
  if (value === null) return 'null'
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value)
  if (typeof value === 'number') return numberText(value)
  if (value instanceof PyFloat) return floatText(value.value)
  throw new TemplateFault(`Object of type ${typeName(value)} is not JSON serializable`)
}

function spread(value: unknown, options: JsonOptions, newline: string): string {
  if (typeof value === 'string') return quote(value, options)
  const inner = options.indent === null ? newline : newline + options.indent
  const join = (open: string, parts: string[], close: string) => {
    if (parts.length === 0) return open + close
    if (options.indent === null) return open + parts.join(options.itemSeparator) + close
    return open + inner + parts.join(options.itemSeparator + inner) + newline + close
  }
  if (Array.isArray(value))
    return join(
      '[',
      Array.from(value, (item) => spread(item, options, inner)),
      ']',
    )
  if (value instanceof Map) return spread(plainDict(value), options, newline)
  if (!isDict(value)) return scalar(value)
  const dict: Dict = value
  const keys = options.sortKeys ? Object.keys(dict).sort(compareText) : Object.keys(dict)
  const parts = keys.map((key) => quote(key, options) + options.keySeparator + spread(dict[key], options, inner))
  return join('{', parts, '}')
}

function quote(text: string, options: JsonOptions): string {
  const quoted = JSON.stringify(text)
  if (!options.ensureAscii) return quoted
  return quoted.replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
