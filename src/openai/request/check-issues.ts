// A schema's fault as an AppError that says what was wrong, where, and what would be right.
import type { core } from 'zod'
import { AppError } from '../../lib/errors.ts'
import { invalid, missing, nameOf, unknownParameter, wrongType } from './faults.ts'

type Issue = core.$ZodIssue

const kinds: Record<string, string> = {
  string: 'a string',
  number: 'a number',
  int: 'an integer',
  boolean: 'a boolean',
  array: 'an array',
  object: 'an object',
  record: 'an object',
}

/** Without those that the next one says better: an integer's field has a limit of its own beside that of all integers. */
export function tellingIssues(issues: readonly Issue[]): Issue[] {
  return issues.filter((issue, i) => {
    const next = issues[i + 1]
    return next === undefined || !('note' in issue) || next.code !== issue.code || next.path.join() !== issue.path.join()
  })
}

/** The error for one issue about `value`, which stands at `param` in the body. */
export function explain(issue: Issue, param: string, value: unknown): AppError {
  const path = pathOf(param, issue.path)
  const at = valueAt(value, issue.path)
  switch (issue.code) {
    case 'invalid_type':
      return at === undefined ? missing(path) : wrongType(path, kinds[issue.expected] ?? issue.expected, at)
    case 'invalid_value':
      return at === undefined ? missing(path) : notOneOf(path, at, issue.values.map(String))
    case 'unrecognized_keys':
      return unknownParameter(`${path}.${issue.keys[0]}`)
    case 'too_small':
    case 'too_big':
      return outOfRange(issue, path, at)
    case 'invalid_union':
      return union(issue, path, at)
    case 'invalid_key':
      return invalid(path, issue.issues[0]?.message ?? 'it is not a valid key')
    case 'custom': {
      const code = issue.params?.code
      if (code === 'unsupported_parameter')
        return new AppError(code, { message: `'${path}' is not supported: ${issue.message}.`, param: path })
      return invalid(path, issue.message)
    }
    case 'invalid_format':
      return invalid(path, issue.message.startsWith('Invalid') ? `it has the wrong form (${issue.format})` : issue.message)
    default:
      return invalid(path, issue.message)
  }
}

function union(issue: Extract<Issue, { code: 'invalid_union' }>, path: string, at: unknown): AppError {
  if (issue.errors.length === 0) {
    const known = ((issue as { options?: readonly unknown[] }).options ?? []).map(String)
    return at === undefined ? missing(path) : notOneOf(path, at, known)
  }
  if (at === undefined) return missing(path)
  // The branch that the client meant is the one of the right type: its faults are not about the type of the whole.
  for (const branch of issue.errors) {
    const first = tellingIssues(branch)[0]
    if (first !== undefined && !(first.code === 'invalid_type' && first.path.length === 0)) {
      if (first.code === 'invalid_value' && first.path.length === 0 && typeof at !== 'string') continue
      return explain(first, path, at)
    }
  }
  const expected = issue.errors.flatMap((branch) =>
    branch[0]?.code === 'invalid_type' ? [kinds[branch[0].expected] ?? branch[0].expected] : [],
  )
  return wrongType(path, [...new Set(expected)].join(' or ') || 'another value', at)
}

function outOfRange(issue: Extract<Issue, { code: 'too_small' | 'too_big' }>, path: string, at: unknown): AppError {
  const small = issue.code === 'too_small'
  const limit = issue.code === 'too_small' ? issue.minimum : issue.maximum
  const bound = small ? (issue.inclusive === false ? 'greater than' : 'at least') : issue.inclusive === false ? 'less than' : 'at most'
  if (typeof at === 'number') return invalid(path, `it must be ${bound} ${limit}, but it is ${at}`)
  if (small && Number(limit) === 1) return new AppError('invalid_value', { message: `'${path}' must not be empty.`, param: path })
  const unit = typeof at === 'string' ? 'characters' : 'items'
  const length = (at as { length?: number } | undefined)?.length
  return invalid(path, `it must have ${bound} ${limit} ${unit}, but it has ${length}`)
}

function notOneOf(path: string, at: unknown, known: readonly string[]): AppError {
  if (typeof at === 'object') return wrongType(path, `one of ${known.map((one) => `'${one}'`).join(', ')}`, at)
  return invalid(path, `${shorten(at)} is not one of ${known.map((one) => `'${one}'`).join(', ')}`)
}

function shorten(value: unknown): string {
  const text = JSON.stringify(value) ?? nameOf(value)
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}

function pathOf(param: string, path: readonly PropertyKey[]): string {
  let all = param
  for (const step of path) all += typeof step === 'number' ? `[${step}]` : `.${String(step).slice(0, 100)}`
  return all
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at = value
  for (const step of path) {
    if (typeof at !== 'object' || at === null) return undefined
    at = (at as Record<PropertyKey, unknown>)[step]
  }
  return at
}
