// Python's operators on template values: arithmetic, order, membership, subscripts, slices.

import { TemplateFault } from './fault.ts'
import { compareText, points } from './library/text.ts'
import type { CompareOp, MathOp } from './parse/ast.ts'
import { equal, isDict, isFloat, isNumber, iterate, Lazy, numeric, repr, Tuple, toFloat, toText, tuple, typeName } from './values.ts'

/** `a op b`; neither is undefined. */
export function compute(op: MathOp, a: unknown, b: unknown): unknown {
  if (op === '+' && typeof a === 'string' && typeof b === 'string') return a + b
  if (isNumber(a) && isNumber(b)) return computeNumbers(op, numeric(a), numeric(b), isFloat(a) || isFloat(b))
  if (op === '+') {
    if (a instanceof Tuple && b instanceof Tuple) return tuple([...a, ...b])
    if (Array.isArray(a) && Array.isArray(b) && a instanceof Tuple === b instanceof Tuple) return [...a, ...b]
    if (typeof a === 'string') throw new TemplateFault(`can only concatenate str (not "${typeName(b)}") to str`)
  }
  if (op === '*') {
    if (typeof b === 'number') return repeat(a, b)
    if (typeof a === 'number') return repeat(b, a)
  }
  if (op === '%' && typeof a === 'string') return formatPercent(a, b instanceof Tuple ? b : [b])
  throw new TemplateFault(`unsupported operand type(s) for ${op}: '${typeName(a)}' and '${typeName(b)}'`)
}

function repeat(value: unknown, times: number): unknown {
  const count = Math.max(0, times)
  if (typeof value === 'string') return value.repeat(count)
  if (!Array.isArray(value)) throw new TemplateFault(`can't multiply sequence by non-int of type '${typeName(value)}'`)
  const items: unknown[] = value instanceof Tuple ? new Tuple() : []
  for (let i = 0; i < count; i++) items.push(...value)
  return items
}

function computeNumbers(op: MathOp, a: number, b: number, float: boolean): unknown {
  if (b === 0 && (op === '/' || op === '//' || op === '%')) throw new TemplateFault('division by zero')
  const wrap = (value: number) => (float ? toFloat(value) : value)
  switch (op) {
    case '+':
      return wrap(a + b)
    case '-':
      return wrap(a - b)
    case '*':
      return wrap(a * b)
    case '/':
      return toFloat(a / b)
    case '//':
      return wrap(Math.floor(a / b))
    case '%':
      return wrap(a - b * Math.floor(a / b))
    case '**':
      return float || b < 0 ? toFloat(a ** b) : a ** b
  }
}

/** The conversions of Python's `%` that templates use: %s %r %d %i %f %.Nf %%. */
export function formatPercent(format: string, values: readonly unknown[]): string {
  let at = 0
  const text = format.replace(/%(?:%|(?:\.(\d+))?([srdif]))/g, (whole, digits: string | undefined, kind: string | undefined) => {
    if (kind === undefined) return whole === '%%' ? '%' : whole
    if (at >= values.length) throw new TemplateFault('not enough arguments for format string')
    const value = values[at++]
    if (kind === 's') return toText(value)
    if (kind === 'r') return repr(value)
    if (!isNumber(value)) throw new TemplateFault(`%${kind} format: a real number is required, not ${typeName(value)}`)
    return kind === 'f' ? numeric(value).toFixed(digits === undefined ? 6 : Number(digits)) : String(Math.trunc(numeric(value)))
  })
  if (at < values.length) throw new TemplateFault('not all arguments converted during string formatting')
  return text
}

export function compare(op: CompareOp, a: unknown, b: unknown): boolean {
  switch (op) {
    case '==':
      return equal(a, b)
    case '!=':
      return !equal(a, b)
    case 'in':
      return contains(b, a)
    case 'not in':
      return !contains(b, a)
    default: {
      const sign = order(a, b, op)
      return op === '<' ? sign < 0 : op === '<=' ? sign <= 0 : op === '>' ? sign > 0 : sign >= 0
    }
  }
}

/** Negative, zero or positive, as a sort wants it. Throws where Python has no order. */
export function order(a: unknown, b: unknown, op = '<'): number {
  if (isNumber(a) && isNumber(b)) return numeric(a) - numeric(b)
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b)
  if (Array.isArray(a) && Array.isArray(b)) {
    for (let i = 0; i < a.length && i < b.length; i++) if (!equal(a[i], b[i])) return order(a[i], b[i], op)
    return a.length - b.length
  }
  throw new TemplateFault(`'${op}' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`)
}

export function contains(container: unknown, item: unknown): boolean {
  if (typeof container === 'string') {
    if (typeof item === 'string') return container.includes(item)
    throw new TemplateFault(`'in <string>' requires string as left operand, not ${typeName(item)}`)
  }
  if (isDict(container)) return typeof item === 'string' && Object.hasOwn(container, item)
  if (container instanceof Map) return container.has(item)
  if (Array.isArray(container) || container instanceof Lazy || container === undefined)
    return iterate(container).some((x) => equal(x, item))
  throw new TemplateFault(`argument of type '${typeName(container)}' is not iterable`)
}

/** value[key] for lists, tuples and strings; undefined out of range. */
export function elementAt(value: readonly unknown[] | string, index: number): unknown {
  const items = typeof value === 'string' ? points(value) : value
  return items[index < 0 ? items.length + index : index]
}

/** value[start:stop:step]; bounds null or undefined when left out. */
export function slice(value: unknown, start: unknown, stop: unknown, step: unknown): unknown {
  if (typeof value !== 'string' && !Array.isArray(value)) throw new TemplateFault(`'${typeName(value)}' object is not subscriptable`)
  const items: readonly unknown[] | string = typeof value === 'string' ? points(value) : value
  const stride = bound(step) ?? 1
  if (stride === 0) throw new TemplateFault('slice step cannot be zero')
  const clamp = (at: number | null, fallback: number) => {
    if (at === null) return fallback
    const index = at < 0 ? at + items.length : at
    return stride > 0 ? Math.min(Math.max(index, 0), items.length) : Math.min(Math.max(index, -1), items.length - 1)
  }
  const from = clamp(bound(start), stride > 0 ? 0 : items.length - 1)
  const to = clamp(bound(stop), stride > 0 ? items.length : -1)
  if (stride === 1 && typeof items === 'string') return items.slice(from, Math.max(from, to))
  const picked: unknown[] = value instanceof Tuple ? new Tuple() : []
  for (let i = from; stride > 0 ? i < to : i > to; i += stride) picked.push(items[i])
  return typeof value === 'string' ? picked.join('') : picked
}

function bound(value: unknown): number | null {
  if (value === null || value === undefined) return null
  if (typeof value === 'number' || typeof value === 'boolean') return Number(value)
  throw new TemplateFault('slice indices must be integers or None or have an __index__ method')
}
