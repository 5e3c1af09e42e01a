// Jinja's expression grammar: precedence climbs from `if … else` down to names, literals, calls, filters and tests.

import { TemplateFault } from '../fault.ts'
import { PyFloat } from '../values.ts'
import type { Args, CompareOp, Expr, MathOp } from './ast.ts'
import { type Cursor, expect, expectOp, isName, isOp, next, peek, skip, unexpected } from './tokens.ts'

/** One expression; `conditional: false` leaves a following `if` to the caller (for … in … if …). */
export function parseExpression(c: Cursor, conditional = true): Expr {
  return conditional ? parseCondition(c) : parseOr(c)
}

/** An expression, or a tuple when commas follow; `ends` says what may stand after a trailing comma. */
export function parseTuple(c: Cursor, conditional = true, parenthesised = false): Expr {
  const line = peek(c).line
  const items: Expr[] = []
  let isTuple = false
  while (!atTupleEnd(c)) {
    items.push(parseExpression(c, conditional))
    if (!skip(c, 'op', ',')) break
    isTuple = true
  }
  if (!isTuple && items.length === 1) return items[0]!
  if (items.length === 0 && !parenthesised) throw unexpected(peek(c), 'an expression')
  return { t: 'tuple', items, line }
}

function atTupleEnd(c: Cursor): boolean {
  const { type } = peek(c)
  return type === 'printEnd' || type === 'blockEnd' || type === 'eof' || isOp(c, ')') || isName(c, 'in')
}

function parseCondition(c: Cursor): Expr {
  let then = parseOr(c)
  while (isName(c, 'if')) {
    const { line } = next(c)
    const test = parseOr(c)
    const otherwise = skip(c, 'name', 'else') ? parseCondition(c) : null
    then = { t: 'cond', test, then, otherwise, line }
  }
  return then
}

function parseOr(c: Cursor): Expr {
  let left = parseAnd(c)
  while (isName(c, 'or')) {
    const { line } = next(c)
    left = { t: 'or', left, right: parseAnd(c), line }
  }
  return left
}

function parseAnd(c: Cursor): Expr {
  let left = parseNot(c)
  while (isName(c, 'and')) {
    const { line } = next(c)
    left = { t: 'and', left, right: parseNot(c), line }
  }
  return left
}

function parseNot(c: Cursor): Expr {
  if (!isName(c, 'not')) return parseCompare(c)
  const { line } = next(c)
  return { t: 'not', of: parseNot(c), line }
}

const comparisons = new Set(['==', '!=', '<', '<=', '>', '>='])

function parseCompare(c: Cursor): Expr {
  const first = parseSum(c)
  const rest: { op: CompareOp; value: Expr }[] = []
  const line = peek(c).line
  while (true) {
    const token = peek(c)
    if (token.type === 'op' && comparisons.has(token.value)) {
      next(c)
      rest.push({ op: token.value as CompareOp, value: parseSum(c) })
    } else if (skip(c, 'name', 'in')) rest.push({ op: 'in', value: parseSum(c) })
    else if (isName(c, 'not') && isName(c, 'in', 1)) {
      c.at += 2
      rest.push({ op: 'not in', value: parseSum(c) })
    } else return rest.length === 0 ? first : { t: 'compare', first, rest, line }
  }
}

/** A left-associative level of arithmetic. */
function level(ops: readonly string[], below: (c: Cursor) => Expr): (c: Cursor) => Expr {
  return (c) => {
    let left = below(c)
    while (peek(c).type === 'op' && ops.includes(peek(c).value)) {
      const { value, line } = next(c)
      left = { t: 'math', op: value as MathOp, left, right: below(c), line }
    }
    return left
  }
}

const parsePower = level(['**'], (c) => parseUnary(c, true))
const parseProduct = level(['*', '/', '//', '%'], parsePower)
// `~` binds tighter than `+`, as in Jinja.
const parseSum = level(['+', '-'], parseConcat)

function parseConcat(c: Cursor): Expr {
  const line = peek(c).line
  const parts = [parseProduct(c)]
  while (skip(c, 'op', '~')) parts.push(parseProduct(c))
  return parts.length === 1 ? parts[0]! : { t: 'concat', parts, line }
}

function parseUnary(c: Cursor, withFilters: boolean): Expr {
  const { line } = peek(c)
  let node: Expr
  if (skip(c, 'op', '-')) node = { t: 'neg', of: parseUnary(c, false), line }
  else if (skip(c, 'op', '+')) node = { t: 'pos', of: parseUnary(c, false), line }
  else node = parsePrimary(c)
  node = parsePostfix(c, node)
  return withFilters ? parseFilters(c, node) : node
}

const constants: Record<string, unknown> = { true: true, True: true, false: false, False: false, none: null, None: null }

function parsePrimary(c: Cursor): Expr {
  const token = next(c)
  const { line } = token
  if (token.type === 'name')
    return Object.hasOwn(constants, token.value)
      ? { t: 'const', value: constants[token.value], line }
      : { t: 'name', name: token.value, line }
  if (token.type === 'string') {
    let value = token.value
    while (peek(c).type === 'string') value += next(c).value
    return { t: 'const', value, line }
  }
  if (token.type === 'number') return { t: 'const', value: numberOf(token.value), line }
  if (token.type === 'op' && token.value === '(') {
    const inner = parseTuple(c, true, true)
    expectOp(c, ')')
    return inner
  }
  if (token.type === 'op' && token.value === '[') return { t: 'list', items: sequence(c, ']', () => parseExpression(c)), line }
  if (token.type === 'op' && token.value === '{') {
    const pairs = sequence(c, '}', () => {
      const key = parseExpression(c)
      expectOp(c, ':')
      return { key, value: parseExpression(c) }
    })
    return { t: 'dict', pairs, line }
  }
  throw unexpected(token)
}

/** Comma-separated entries up to `end`, a trailing comma allowed. */
function sequence<T>(c: Cursor, end: string, entry: () => T): T[] {
  const entries: T[] = []
  while (!isOp(c, end)) {
    if (entries.length > 0) expectOp(c, ',')
    if (isOp(c, end)) break
    entries.push(entry())
  }
  expectOp(c, end)
  return entries
}

function numberOf(digits: string): number | PyFloat {
  const plain = digits.replaceAll('_', '')
  return /^0[xob]/i.test(plain) || /^\d+$/.test(plain) ? Number(plain) : new PyFloat(Number(plain))
}

function parsePostfix(c: Cursor, start: Expr): Expr {
  let node = start
  while (true) {
    if (isOp(c, '.')) node = parseDot(c, node)
    else if (isOp(c, '[')) node = parseSubscript(c, node)
    else if (isOp(c, '(')) node = { t: 'call', of: node, line: peek(c).line, args: parseArgs(c) }
    else return node
  }
}

function parseDot(c: Cursor, of: Expr): Expr {
  const { line } = next(c)
  const token = next(c)
  if (token.type === 'name') return { t: 'attr', of, name: token.value, line }
  if (token.type !== 'number') throw unexpected(token, 'a name or number')
  return { t: 'item', of, key: { t: 'const', value: numberOf(token.value), line }, line }
}

function parseSubscript(c: Cursor, of: Expr): Expr {
  const { line } = expectOp(c, '[')
  const bounds: (Expr | null)[] = [isOp(c, ':') ? null : parseExpression(c)]
  while (bounds.length < 3 && skip(c, 'op', ':')) bounds.push(isOp(c, ']') || isOp(c, ':') ? null : parseExpression(c))
  if (isOp(c, ',')) throw new TemplateFault('subscripts with commas are not supported', line)
  expectOp(c, ']')
  if (bounds.length === 1) return { t: 'item', of, key: bounds[0]!, line }
  return { t: 'slice', of, start: bounds[0]!, stop: bounds[1]!, step: bounds[2] ?? null, line }
}

const noArgs: Args = { positional: [], named: [], spread: null, namedSpread: null }

function parseFilters(c: Cursor, start: Expr): Expr {
  let node = start
  while (true) {
    if (isOp(c, '|')) node = parseFilter(c, node)
    else if (isName(c, 'is')) node = parseTest(c, node)
    else if (isOp(c, '(')) node = { t: 'call', of: node, line: peek(c).line, args: parseArgs(c) }
    else return node
  }
}

/** One `| name(args)`; without the bar when `of` is null (the head of a filter block). */
export function parseFilter(c: Cursor, of: Expr | null): Expr {
  if (of !== null) expectOp(c, '|')
  const { value, line } = expect(c, 'name', 'the name of a filter')
  return { t: 'filter', of, name: value, line, args: isOp(c, '(') ? parseArgs(c) : noArgs }
}

function parseTest(c: Cursor, of: Expr): Expr {
  next(c)
  const negated = skip(c, 'name', 'not')
  const { value, line } = expect(c, 'name', 'the name of a test')
  const token = peek(c)
  let args = noArgs
  if (isOp(c, '(')) args = parseArgs(c)
  else if (startsOperand(c) && !['else', 'or', 'and'].includes(token.value)) {
    if (isName(c, 'is')) throw new TemplateFault('You cannot chain multiple tests with is', line)
    args = { ...noArgs, positional: [parsePostfix(c, parsePrimary(c))] }
  }
  const node: Expr = { t: 'test', of, name: value, args, line }
  return negated ? { t: 'not', of: node, line } : node
}

function startsOperand(c: Cursor): boolean {
  const { type, value } = peek(c)
  if (type === 'name') return true
  return type === 'string' || type === 'number' || (type === 'op' && (value === '[' || value === '{'))
}

function parseArgs(c: Cursor): Args {
  const { line } = expectOp(c, '(')
  const args: Args = { positional: [], named: [], spread: null, namedSpread: null }
  const refuse = (bad: boolean) => {
    if (bad) throw new TemplateFault('invalid syntax for function call expression', line)
  }
  sequence(c, ')', () => {
    refuse(args.namedSpread !== null)
    if (skip(c, 'op', '*')) {
      refuse(args.spread !== null)
      args.spread = parseExpression(c)
    } else if (skip(c, 'op', '**')) args.namedSpread = parseExpression(c)
    else if (peek(c).type === 'name' && peek(c, 1).type === 'op' && peek(c, 1).value === '=') {
      const name = next(c).value
      next(c)
      args.named.push({ name, value: parseExpression(c) })
    } else {
      refuse(args.spread !== null || args.named.length > 0)
      args.positional.push(parseExpression(c))
    }
  })
  return args
}
