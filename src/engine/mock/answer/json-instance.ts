// The smallest JSON value that a schema allows, always the same: what the mock answers under `json_schema`.
// Keywords that only shrink the set in ways we cannot follow (`pattern`, `not`, …) are refused rather than broken.

export type Instance = { kind: 'value'; value: unknown } | { kind: 'invalid'; message: string }

type Schema = Record<string, unknown>

const maxDepth = 64
/** Values and characters of one instance: what a schema asks for beyond it fits no context anyway. */
const maxSize = 1 << 17
const types = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null'] as const
const unsupported = ['not', 'pattern', 'patternProperties', 'if', 'contains', 'dependentRequired', 'dependentSchemas', 'propertyNames']
const formats: Record<string, string> = {
  date: '2000-01-01',
  time: '00:00:00Z',
  'date-time': '2000-01-01T00:00:00Z',
  duration: 'P1D',
  email: 'a@example.com',
  hostname: 'example.com',
  uri: 'https://example.com',
  uuid: '00000000-0000-4000-8000-000000000000',
  ipv4: '127.0.0.1',
  ipv6: '::1',
}

class SchemaError extends Error {}

/** An instance of the schema in `text`, or why there is none. */
export function jsonInstance(text: string): Instance {
  try {
    const root: unknown = JSON.parse(text)
    built = 0
    return { kind: 'value', value: build(root, root, '#', 0) }
  } catch (error) {
    if (error instanceof SchemaError || error instanceof SyntaxError) return { kind: 'invalid', message: error.message }
    throw error
  }
}

let built = 0

/** Counts towards the size of the instance that is being built. */
function spend(amount: number, path: string): void {
  built += amount
  if (built > maxSize) throw new SchemaError(`${path}: the smallest value has more than ${maxSize} characters and members`)
}

function build(node: unknown, root: unknown, path: string, depth: number): unknown {
  spend(1, path)
  if (depth > maxDepth) throw new SchemaError(`${path}: recursion without an end`)
  if (node === true) return null
  if (!isObject(node)) throw new SchemaError(`${path}: ${node === false ? 'allows nothing' : 'a schema is an object or a boolean'}`)
  for (const word of unsupported) if (word in node) throw new SchemaError(`${path}: the mock engine cannot follow '${word}'`)
  if ('const' in node) return node.const
  if ('enum' in node) {
    if (!Array.isArray(node.enum) || node.enum.length === 0) throw new SchemaError(`${path}/enum: must be a list with at least one value`)
    return node.enum[0]
  }
  if ('$ref' in node) return build(resolve(node.$ref, root, path), root, String(node.$ref), depth + 1)
  for (const word of ['anyOf', 'oneOf'] as const) {
    if (!(word in node)) continue
    const { [word]: branches, ...rest } = node
    const first = list(branches, `${path}/${word}`)[0]
    return build(merge([rest, first], root, path), root, `${path}/${word}/0`, depth + 1)
  }
  if ('allOf' in node) {
    const { allOf, ...rest } = node
    return build(merge([rest, ...list(allOf, `${path}/allOf`)], root, path), root, path, depth + 1)
  }
  switch (typeOf(node, path)) {
    case 'object':
      return object(node, root, path, depth)
    case 'array':
      return array(node, root, path, depth)
    case 'string':
      return string(node, path)
    case 'number':
      return number(node, path, false)
    case 'integer':
      return number(node, path, true)
    case 'boolean':
      return true
    case 'null':
      return null
  }
}

function typeOf(node: Schema, path: string): (typeof types)[number] {
  const given = Array.isArray(node.type) ? node.type[0] : node.type
  if (given === undefined) {
    if ('properties' in node || 'required' in node) return 'object'
    if ('items' in node || 'prefixItems' in node) return 'array'
    if ('minLength' in node || 'maxLength' in node || 'format' in node) return 'string'
    if ('minimum' in node || 'maximum' in node || 'multipleOf' in node) return 'number'
    return 'null'
  }
  const type = types.find((name) => name === given)
  if (type === undefined) throw new SchemaError(`${path}/type: '${String(given)}' is not a type`)
  return type
}

function object(node: Schema, root: unknown, path: string, depth: number): Schema {
  const properties = node.properties ?? {}
  if (!isObject(properties)) throw new SchemaError(`${path}/properties: must be an object`)
  const required = node.required === undefined ? [] : strings(node.required, `${path}/required`)
  const value: Schema = {}
  const add = (name: string, schema: unknown) => {
    // Assigned by definition: a property called __proto__ is a property.
    Object.defineProperty(value, name, {
      value: build(schema, root, `${path}/properties/${name}`, depth + 1),
      enumerable: true,
      configurable: true,
      writable: true,
    })
  }
  for (const name of Object.keys(properties)) if (required.includes(name)) add(name, properties[name])
  for (const name of required) if (!Object.hasOwn(value, name)) add(name, node.additionalProperties ?? true)
  const least = size(node.minProperties, 0, `${path}/minProperties`)
  for (const name of Object.keys(properties))
    if (Object.keys(value).length < least && !Object.hasOwn(value, name)) add(name, properties[name])
  spend(Math.max(0, least - Object.keys(value).length), path)
  for (let i = 0, missing = least - Object.keys(value).length; missing > 0; i++) {
    if (Object.hasOwn(value, `key${i}`)) continue
    add(`key${i}`, node.additionalProperties ?? true)
    missing--
  }
  return value
}

function array(node: Schema, root: unknown, path: string, depth: number): unknown[] {
  const heads = node.prefixItems === undefined ? [] : list(node.prefixItems, `${path}/prefixItems`)
  const least = size(node.minItems, 0, `${path}/minItems`)
  if (node.uniqueItems === true && least > 1)
    throw new SchemaError(`${path}: the mock engine cannot follow 'uniqueItems' with minItems above 1`)
  const value: unknown[] = []
  while (value.length < least) {
    const item = heads[value.length] ?? node.items ?? true
    value.push(build(item, root, `${path}/items`, depth + 1))
  }
  return value
}

function string(node: Schema, path: string): string {
  const least = size(node.minLength, 0, `${path}/minLength`)
  const most = size(node.maxLength, Number.POSITIVE_INFINITY, `${path}/maxLength`)
  if (least > most) throw new SchemaError(`${path}: minLength is above maxLength`)
  spend(least, path)
  const sample = typeof node.format === 'string' ? (formats[node.format] ?? 'text') : 'text'
  return sample.padEnd(least, 'a').slice(0, Math.min(most, Math.max(least, sample.length)))
}

function number(node: Schema, path: string, whole: boolean): number {
  const step = numeric(node.multipleOf, whole ? 1 : 0, `${path}/multipleOf`)
  const unit = step || (whole ? 1 : 0.5)
  const above = numeric(node.exclusiveMinimum, Number.NEGATIVE_INFINITY, `${path}/exclusiveMinimum`)
  const below = numeric(node.exclusiveMaximum, Number.POSITIVE_INFINITY, `${path}/exclusiveMaximum`)
  const least = numeric(node.minimum, Number.NEGATIVE_INFINITY, `${path}/minimum`)
  const most = numeric(node.maximum, Number.POSITIVE_INFINITY, `${path}/maximum`)
  const fits = (x: number) => x >= least && x > above && x <= most && x < below
  const low = Math.max(least, above)
  const high = Math.min(most, below)
  const up = Math.ceil(low / unit) * unit
  const down = Math.floor(high / unit) * unit
  const candidates = [0, up, up + unit, down, down - unit, ...(step || whole ? [] : [low, high, (low + high) / 2])]
  const found = candidates.find((x) => Number.isFinite(x) && fits(x) && (!whole || Number.isInteger(x)))
  if (found === undefined) throw new SchemaError(`${path}: no number fits its limits`)
  return found
}

/** One schema that asks for everything its parts ask for; of a keyword that two parts have, lists join and objects merge, else the later wins. */
function merge(parts: readonly unknown[], root: unknown, path: string): Schema {
  const whole: Schema = {}
  for (const part of parts) {
    const schema = isObject(part) && '$ref' in part ? resolve(part.$ref, root, path) : part
    if (schema === true) continue
    if (!isObject(schema)) throw new SchemaError(`${path}: a schema is an object or a boolean`)
    for (const [word, value] of Object.entries(schema)) {
      const before = whole[word]
      if (word === 'required' && Array.isArray(before) && Array.isArray(value)) whole[word] = [...before, ...value]
      else if (word === 'properties' && isObject(before) && isObject(value)) whole[word] = { ...before, ...value }
      else whole[word] = value
    }
  }
  return whole
}

function resolve(ref: unknown, root: unknown, path: string): unknown {
  if (typeof ref !== 'string' || !ref.startsWith('#'))
    throw new SchemaError(`${path}/$ref: only references into the same schema (#/…) are known`)
  let node: unknown = root
  for (const part of ref.split('/').slice(1)) {
    const name = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')
    node = isObject(node) || Array.isArray(node) ? (node as Schema)[name] : undefined
  }
  if (node === undefined) throw new SchemaError(`${path}/$ref: '${ref}' points at nothing`)
  return node
}

function isObject(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function list(value: unknown, path: string): unknown[] {
  if (Array.isArray(value) && value.length > 0) return value
  throw new SchemaError(`${path}: must be a list with at least one entry`)
}

function strings(value: unknown, path: string): string[] {
  if (Array.isArray(value) && value.every((entry) => typeof entry === 'string')) return value
  throw new SchemaError(`${path}: must be a list of names`)
}

function size(value: unknown, absent: number, path: string): number {
  const read = numeric(value, absent, path)
  if (read >= 0) return read
  throw new SchemaError(`${path}: must not be negative`)
}

function numeric(value: unknown, absent: number, path: string): number {
  if (value === undefined) return absent
  if (typeof value === 'number') return value
  throw new SchemaError(`${path}: must be a number`)
}
