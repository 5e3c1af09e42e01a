// What stands after `is`: Jinja's tests.
import { TemplateFault } from '../fault.ts'
import { compare } from '../operators.ts'
import { equal, isFloat, isMapping, isNumber, Lazy, numeric, PyFloat, Tuple, toText } from '../values.ts'

type Check = (value: unknown, args: unknown[]) => boolean

const whole = (value: unknown): number => {
  if (isNumber(value)) return numeric(value)
  throw new TemplateFault('not a number')
}
const modulo = (a: number, b: number) => a - b * Math.floor(a / b)

const same: Check = (value, [other]) => {
  if (value === other) return true
  return value instanceof Tuple && other instanceof Tuple && value.length === 0 && other.length === 0
}

const eq: Check = (value, [other]) => equal(value, other)
const ne: Check = (value, [other]) => !equal(value, other)
const gt: Check = (value, [other]) => compare('>', value, other)
const ge: Check = (value, [other]) => compare('>=', value, other)
const lt: Check = (value, [other]) => compare('<', value, other)
const le: Check = (value, [other]) => compare('<=', value, other)

/** `defined` and `undefined` see a miss as undefined; the others treat it like Python treats Jinja's Undefined. */
export const checks: Record<string, Check> = {
  defined: (value) => value !== undefined,
  undefined: (value) => value === undefined,
  none: (value) => value === null,
  boolean: (value) => typeof value === 'boolean',
  true: (value) => value === true,
  false: (value) => value === false,
  integer: (value) => typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value)),
  float: (value) => value instanceof PyFloat || isFloat(value),
  number: (value) => typeof value === 'bigint' || isNumber(value),
  string: (value) => typeof value === 'string',
  mapping: isMapping,
  // Undefined has __len__ and __iter__, but no usable __getitem__; Python's own test says true of it.
  sequence: (value) => typeof value === 'string' || Array.isArray(value) || isMapping(value) || value === undefined,
  iterable: (value) =>
    typeof value === 'string' || Array.isArray(value) || isMapping(value) || value instanceof Lazy || value === undefined,
  callable: (value) => typeof value === 'function',
  odd: (value) => modulo(whole(value), 2) === 1,
  even: (value) => modulo(whole(value), 2) === 0,
  divisibleby: (value, [by]) => modulo(whole(value), whole(by)) === 0,
  sameas: same,
  in: (value, [container]) => compare('in', value, container),
  lower: (value) => toText(value) === toText(value).toLowerCase() && /\p{Ll}/u.test(toText(value)),
  upper: (value) => toText(value) === toText(value).toUpperCase() && /\p{Lu}/u.test(toText(value)),
  escaped: () => false,
  eq,
  equalto: eq,
  '==': eq,
  ne,
  '!=': ne,
  gt,
  greaterthan: gt,
  '>': gt,
  ge,
  '>=': ge,
  lt,
  lessthan: lt,
  '<': lt,
  le,
  '<=': le,
}
