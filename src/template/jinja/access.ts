// `value.name` and `value[key]` as Jinja's environment looks them up.

import { methodOf } from './library/methods.ts'
import { Loop } from './loop.ts'
import { elementAt } from './operators.ts'
import { isDict, Namespace, PyFloat } from './values.ts'

/** Attribute first (methods too), then the dict's key. A miss is undefined. */
export function attribute(value: unknown, name: string): unknown {
  if (value instanceof Loop) return value.get(name)
  if (value instanceof Namespace) return value.fields.get(name)
  const method = methodOf(value, name)
  if (method !== undefined) return method
  if (value instanceof Map) return value.get(name)
  return isDict(value) && Object.hasOwn(value, name) ? value[name] : undefined
}

/** Key or index first, then the attribute of that name. A miss is undefined. */
export function item(value: unknown, key: unknown): unknown {
  if (typeof key === 'string') {
    if (isDict(value) && Object.hasOwn(value, key)) return value[key]
    if (value instanceof Map && value.has(key)) return value.get(key)
    return value instanceof Loop ? value.get(key) : methodOf(value, key)
  }
  const index = key instanceof PyFloat ? undefined : typeof key === 'boolean' ? Number(key) : key
  if (typeof index !== 'number') return undefined
  if (typeof value === 'string' || Array.isArray(value)) return elementAt(value, index)
  return value instanceof Map ? value.get(index) : undefined
}
