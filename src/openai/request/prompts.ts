// `prompt` and `input`: one text, one list of token ids, or a batch of either; read by hand because there may be a million ids.
import { AppError } from '../../lib/errors.ts'
import type { Rule } from './check.ts'
import { checkLength, nameOf, wrongType } from './faults.ts'

const MAX_BATCH = 2048
const MAX_ID = 0xffffffff

/** One prompt of a batch. */
export type OnePrompt = string | Uint32Array

/** The prompts of a request, in order. Throws `invalid_type`, `invalid_value`. Ids are held against the vocabulary later. */
export function readPrompts(value: unknown, param: string): OnePrompt[] {
  if (typeof value === 'string') return [someText(value, param)]
  if (!Array.isArray(value)) throw wrongType(param, 'a string, an array of token ids, or an array of either', value)
  checkLength(value.length, 1, Number.MAX_SAFE_INTEGER, param)
  if (typeof value[0] === 'number') return [readIds(value, param)]
  checkLength(value.length, 1, MAX_BATCH, param)
  return value.map((one, i) => {
    const at = `${param}[${i}]`
    if (typeof one === 'string' && typeof value[0] === 'string') return someText(one, at)
    if (Array.isArray(one) && Array.isArray(value[0])) {
      checkLength(one.length, 1, Number.MAX_SAFE_INTEGER, at)
      return readIds(one, at)
    }
    throw wrongType(at, typeof value[0] === 'string' ? 'a string like the others' : 'a string or an array of token ids', one)
  })
}

/** Token ids. Throws `invalid_type`, `invalid_value` about the first that is none. */
export function readIds(values: readonly unknown[], param: string): Uint32Array {
  const ids = new Uint32Array(values.length)
  for (let i = 0; i < values.length; i++) {
    const id = values[i]
    if (typeof id !== 'number')
      throw new AppError('invalid_type', {
        message: `Invalid type for '${param}[${i}]': expected a token id, but got ${nameOf(id)}.`,
        param: `${param}[${i}]`,
      })
    if (!Number.isInteger(id) || id < 0 || id > MAX_ID)
      throw new AppError('invalid_value', {
        message: `Invalid value for '${param}[${i}]': ${id} is not a token id (an integer from 0).`,
        param: `${param}[${i}]`,
      })
    ids[i] = id
  }
  return ids
}

function someText(text: string, param: string): string {
  if (text === '') throw new AppError('invalid_value', { message: `'${param}' must not be an empty string.`, param })
  return text
}

/** For `bodyRules`: the converting functions above do the checking, once. */
export const checkedLater: Rule = () => {}
