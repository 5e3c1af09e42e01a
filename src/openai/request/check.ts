// Request bodies against their schemas. Walks the body's own keys, so that an absent field costs nothing; stops at the first fault.
import type { z } from 'zod'
import { AppError } from '../../lib/errors.ts'
import { explain, tellingIssues } from './check-issues.ts'
import { checkLength, nameOf, unknownParameter, wrongType } from './faults.ts'

/** Throws an AppError about `value`, which the client named `param`. */
export type Rule = (value: unknown, param: string, body: Record<string, unknown>) => void

export interface BodyRules {
  readonly fields: ReadonlyMap<string, Rule>
  readonly required: readonly string[]
}

/** The rules of a body with these fields. `byHand` replaces the schema of a field where a schema would be slow or collect too many faults. */
export function bodyRules(
  shape: Record<string, z.ZodType>,
  required: readonly string[],
  ignoreUnknown: boolean,
  byHand: Record<string, Rule> = {},
): BodyRules {
  const fields = new Map<string, Rule>()
  for (const [name, schema] of Object.entries(shape)) fields.set(name, byHand[name] ?? schemaRule(schema, ignoreUnknown))
  return { fields, required }
}

/** Rules that are made with the first request, because the start does not pay for schemas, and kept as long as `ignoreUnknown` is the same. */
export function lazyRules(make: (ignoreUnknown: boolean) => Promise<BodyRules>): (ignoreUnknown: boolean) => Promise<BodyRules> {
  let kept: { ignoreUnknown: boolean; rules: Promise<BodyRules> } | undefined
  return (ignoreUnknown) => {
    if (kept?.ignoreUnknown !== ignoreUnknown) kept = { ignoreUnknown, rules: make(ignoreUnknown) }
    return kept.rules
  }
}

/** A rule out of a schema. With `ignoreUnknown`, unknown members of nested objects pass. */
function schemaRule(schema: z.ZodType, ignoreUnknown: boolean): Rule {
  return (value, param) => {
    const result = schema.safeParse(value)
    if (result.success) return
    for (const issue of tellingIssues(result.error.issues)) {
      if (ignoreUnknown && issue.code === 'unrecognized_keys') continue
      throw explain(issue, param, value)
    }
  }
}

/** An array whose elements have a schema, checked one by one. */
export function eachRule(schema: z.ZodType, min: number, max: number, ignoreUnknown: boolean): Rule {
  const element = schemaRule(schema, ignoreUnknown)
  return (value, param, body) => {
    if (value === null || value === undefined) return
    if (!Array.isArray(value)) throw wrongType(param, 'an array', value)
    checkLength(value.length, min, max, param)
    for (let i = 0; i < value.length; i++) element(value[i], `${param}[${i}]`, body)
  }
}

/** Checks a parsed body and gives it back with its type. Throws AppErrors in OpenAI's words, with the path of the field. */
export function checkBody<Body>(rules: BodyRules, body: unknown, ignoreUnknown: boolean): Body {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new AppError('invalid_type', { message: `The request body must be a JSON object, but it is ${nameOf(body)}.` })
  const members = body as Record<string, unknown>
  for (const name of rules.required)
    if (members[name] === undefined || members[name] === null)
      throw new AppError('missing_parameter', { message: `Missing required parameter: '${name}'.`, param: name })
  for (const name in members) {
    const rule = rules.fields.get(name)
    if (rule !== undefined) rule(members[name], name, members)
    else if (!ignoreUnknown) throw unknownParameter(name)
  }
  return body as Body
}
