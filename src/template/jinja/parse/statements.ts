// Jinja's statement grammar, with transformers' additions: `generation` blocks, `break` and `continue`.

import { TemplateFault } from '../fault.ts'
import type { Expr, Param, Stmt, Target } from './ast.ts'
import { parseExpression, parseFilter, parseTuple } from './expressions.ts'
import { tokenize } from './lexer.ts'
import { type Cursor, expect, expectOp, isName, isOp, next, peek, skip, unexpected } from './tokens.ts'

/** The statements of a template. Throws TemplateFault with the line. */
export function parseTemplate(source: string): Stmt[] {
  const c: Cursor = { tokens: tokenize(source), at: 0 }
  return parseBody(c, [], { tag: '', line: 0 })
}

interface Opened {
  tag: string
  line: number
}

/** Statements up to one of the `ends` tags, whose name is left as the next token (`{%` is consumed). */
function parseBody(c: Cursor, ends: readonly string[], opened: Opened): Stmt[] {
  const body: Stmt[] = []
  while (true) {
    const token = next(c)
    if (token.type === 'eof') {
      if (ends.length === 0) return body
      throw new TemplateFault(`{% ${opened.tag} %} of line ${opened.line} is not closed, expected ${ends.join(' or ')}`, token.line)
    }
    if (token.type === 'data') body.push({ t: 'data', text: token.value, line: token.line })
    else if (token.type === 'printBegin') {
      body.push({ t: 'print', value: parseTuple(c), line: token.line })
      expect(c, 'printEnd', "'}}'")
    } else {
      if (peek(c).type === 'name' && ends.includes(peek(c).value)) return body
      body.push(parseStatement(c))
      expect(c, 'blockEnd', "'%}'")
    }
  }
}

/** A body between `%}` and `{% end`, both consumed. */
function parseBlock(c: Cursor, opened: Opened): Stmt[] {
  expect(c, 'blockEnd', "'%}'")
  const body = parseBody(c, [`end${opened.tag}`], opened)
  next(c)
  return body
}

function parseStatement(c: Cursor): Stmt {
  const { value: tag, line } = expect(c, 'name', 'the name of a tag')
  const opened = { tag, line }
  switch (tag) {
    case 'if':
      return parseIf(c, opened)
    case 'for':
      return parseFor(c, opened)
    case 'set':
      return parseSet(c, opened)
    case 'macro': {
      const name = expect(c, 'name', 'the name of a macro').value
      const params = parseParams(c)
      return { t: 'macro', name, params, body: parseBlock(c, opened), line }
    }
    case 'call': {
      const params = isOp(c, '(') ? parseParams(c) : []
      const call = parseExpression(c)
      if (call.t !== 'call') throw new TemplateFault('expected call', line)
      return { t: 'callblock', params, call, body: parseBlock(c, opened), line }
    }
    case 'filter':
      return { t: 'filterblock', chain: parseChain(c), body: parseBlock(c, opened), line }
    case 'with': {
      const targets: { target: Target; value: Expr }[] = []
      while (peek(c).type !== 'blockEnd') {
        if (targets.length > 0) expectOp(c, ',')
        const target = parseTarget(c, false)
        expectOp(c, '=')
        targets.push({ target, value: parseExpression(c) })
      }
      return { t: 'with', targets, body: parseBlock(c, opened), line }
    }
    // Marks what the assistant said, for training; it only opens a scope here.
    case 'generation':
      return { t: 'with', targets: [], body: parseBlock(c, opened), line }
    case 'break':
    case 'continue':
      return { t: tag, line }
    default:
      throw new TemplateFault(`Encountered unknown tag '${tag}'.`, line)
  }
}

function parseIf(c: Cursor, opened: Opened): Stmt {
  const branches: { test: Expr; body: Stmt[] }[] = []
  let otherwise: Stmt[] = []
  while (true) {
    const test = parseTuple(c, false)
    expect(c, 'blockEnd', "'%}'")
    branches.push({ test, body: parseBody(c, ['elif', 'else', 'endif'], opened) })
    const word = next(c).value
    if (word === 'elif') continue
    if (word === 'else') {
      expect(c, 'blockEnd', "'%}'")
      otherwise = parseBody(c, ['endif'], opened)
      next(c)
    }
    return { t: 'if', branches, otherwise, line: opened.line }
  }
}

function parseFor(c: Cursor, opened: Opened): Stmt {
  const target = parseTarget(c, false)
  if (!skip(c, 'name', 'in')) throw unexpected(peek(c), "'in'")
  const iter = parseTuple(c, false)
  const test = skip(c, 'name', 'if') ? parseExpression(c) : null
  if (isName(c, 'recursive')) throw new TemplateFault('recursive loops are not supported', opened.line)
  expect(c, 'blockEnd', "'%}'")
  const body = parseBody(c, ['endfor', 'else'], opened)
  let otherwise: Stmt[] = []
  if (next(c).value === 'else') {
    expect(c, 'blockEnd', "'%}'")
    otherwise = parseBody(c, ['endfor'], opened)
    next(c)
  }
  return { t: 'for', target, iter, test, body, otherwise, line: opened.line }
}

function parseSet(c: Cursor, opened: Opened): Stmt {
  const target = parseTarget(c, true)
  const { line } = opened
  if (skip(c, 'op', '=')) return { t: 'set', target, value: parseTuple(c), line }
  let chain: Expr | null = null
  if (skip(c, 'op', '|')) chain = parseChain(c)
  return { t: 'capture', target, chain, body: parseBlock(c, opened), line }
}

/** `name(args) | name …` whose first filter takes the block's text. */
function parseChain(c: Cursor): Expr {
  let chain = parseFilter(c, null)
  while (isOp(c, '|')) chain = parseFilter(c, chain)
  return chain
}

/** What `set`, `for` and `with` assign to: names, with commas or parentheses; `fields` allows `ns.attr`. */
function parseTarget(c: Cursor, fields: boolean): Target {
  const line = peek(c).line
  const items: Target[] = []
  let isTuple = false
  do {
    if (!(peek(c).type === 'name' && !isName(c, 'in')) && !isOp(c, '(')) break
    if (skip(c, 'op', '(')) {
      items.push(parseTarget(c, fields))
      expectOp(c, ')')
    } else {
      const name = next(c).value
      if (fields && skip(c, 'op', '.')) items.push({ t: 'field', name, attr: expect(c, 'name', 'an attribute').value, line })
      else items.push({ t: 'name', name, line })
    }
    if (isOp(c, ',')) isTuple = true
  } while (skip(c, 'op', ','))
  if (items.length === 0) throw unexpected(peek(c), 'a name to assign to')
  return isTuple ? { t: 'tuple', items, line } : items[0]!
}

function parseParams(c: Cursor): Param[] {
  expectOp(c, '(')
  const params: Param[] = []
  while (!isOp(c, ')')) {
    if (params.length > 0) expectOp(c, ',')
    if (isOp(c, ')')) break
    const { value: name, line } = expect(c, 'name', 'the name of an argument')
    const fallback = skip(c, 'op', '=') ? parseExpression(c) : null
    if (fallback === null && params.at(-1)?.fallback) throw new TemplateFault('non-default argument follows default argument', line)
    params.push({ name, fallback })
  }
  expectOp(c, ')')
  return params
}
