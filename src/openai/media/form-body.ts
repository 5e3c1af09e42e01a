// A multipart form as the JSON body that it stands for: texts become what the schema of their field wants, files are handed out apart.
import * as z from 'zod'
import { AppError } from '../../lib/errors.ts'
import { type JsonRoom, jsonRoom, parseJson } from '../../lib/json-limits.ts'
import { wrongType } from '../request/faults.ts'
import type { FormFields, FormFile } from './form-fields.ts'

/** What texts of a field are read as. `list`: also one text is an array. `json`: anything that is JSON, else a text. */
type Kind = 'number' | 'boolean' | 'json' | 'list'

export interface FormBody {
  /** Without a prototype, so that no name can mean anything else. */
  body: Record<string, unknown>
  /** By field, `[]` and `[0]` taken off. */
  files: Map<string, FormFile[]>
}

/**
 * Reads forms of the fields in `shape`, of which `fileFields` may be files. Throws `invalid_type` for what cannot be nested so and for a file
 * in a text's field, and what parseJson throws; values are the schema's to judge, and so are files in unknown fields the caller's.
 */
export function formReader(shape: Record<string, z.ZodType>, fileFields: readonly string[] = []): (form: FormFields) => FormBody {
  const kinds = kindsOf(shape)
  return (form) => {
    const body: Record<string, unknown> = Object.create(null)
    const files = new Map<string, FormFile[]>()
    const room = jsonRoom()
    for (const part of form.parts) {
      const [, name = part.name, inner] = /^([^[\]]+)\[([^[\]]*)\]$/.exec(part.name) ?? []
      if ('file' in part) {
        if (Object.hasOwn(shape, name) && !fileFields.includes(name)) throw noFile(name)
        files.set(name, [...(files.get(name) ?? []), part.file])
        continue
      }
      const listed = inner !== undefined && /^\d*$/.test(inner)
      if (inner === undefined || listed)
        add(body, name, readText(part.text, kinds.get(name), name, room), listed || kinds.get(name) === 'list')
      else {
        body[name] ??= Object.create(null)
        const nested = body[name]
        if (typeof nested !== 'object' || nested === null || Array.isArray(nested)) throw wrongType(name, 'an object', nested)
        add(nested as Record<string, unknown>, inner, readText(part.text, kinds.get(`${name}.${inner}`), `${name}.${inner}`, room), false)
      }
    }
    return { body, files }
  }
}

function noFile(param: string): AppError {
  const message = `'${param}' must be a text field of the form, but it is a file: send it without a filename.`
  return new AppError('invalid_type', { message, param })
}

function add(into: Record<string, unknown>, name: string, value: unknown, listed: boolean): void {
  const there = into[name]
  if (there === undefined) into[name] = listed ? [value] : value
  else into[name] = Array.isArray(there) ? [...there, value] : [there, value]
}

/** A text that is none of its kind stays a text: the schema says what is wrong with it. */
function readText(text: string, kind: Kind | undefined, param: string, room: JsonRoom): unknown {
  if (kind === 'number') return /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i.test(text.trim()) ? Number(text) : text
  if (kind === 'boolean') {
    if (/^(?:true|1)$/i.test(text)) return true
    return /^(?:false|0)$/i.test(text) ? false : text
  }
  if (kind !== 'json') return text
  try {
    return parseJson(text, { whole: `'${param}'`, param, room })
  } catch (cause) {
    if (cause instanceof AppError) throw cause
    return text
  }
}

interface JsonSchema {
  type?: string | string[]
  anyOf?: JsonSchema[]
  properties?: Record<string, JsonSchema>
}

/** Kinds by name, members of objects as `nvext.seed`. */
function kindsOf(shape: Record<string, z.ZodType>): Map<string, Kind> {
  const kinds = new Map<string, Kind>()
  const note = (prefix: string, properties: Record<string, JsonSchema>) => {
    for (const [name, schema] of Object.entries(properties)) {
      const either = branchesOf(schema)
      const types = new Set(either.flatMap((one) => one.type ?? []))
      const path = prefix + name
      if (types.has('number') || types.has('integer')) kinds.set(path, 'number')
      else if (types.has('boolean')) kinds.set(path, 'boolean')
      else if (types.has('string')) continue
      else if (types.has('array')) kinds.set(path, 'list')
      else {
        kinds.set(path, 'json')
        if (prefix === '') for (const one of either) if (one.properties !== undefined) note(`${path}.`, one.properties)
      }
    }
  }
  note('', (z.toJSONSchema(z.strictObject(shape), { io: 'input', unrepresentable: 'any' }) as JsonSchema).properties ?? {})
  return kinds
}

/** The alternatives that a schema leaves. */
function branchesOf(schema: JsonSchema): JsonSchema[] {
  return schema.anyOf === undefined ? [schema] : schema.anyOf.flatMap(branchesOf)
}
