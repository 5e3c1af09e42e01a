// A cursor over the tokens of one template, with the errors of a parser.
import { TemplateFault } from '../fault.ts'
import type { Token, TokenType } from './lexer.ts'

export interface Cursor {
  tokens: Token[]
  at: number
}

export const peek = (c: Cursor, ahead = 0): Token => c.tokens[Math.min(c.at + ahead, c.tokens.length - 1)]!
export const next = (c: Cursor): Token => c.tokens[Math.min(c.at++, c.tokens.length - 1)]!

export function isOp(c: Cursor, value: string): boolean {
  const token = peek(c)
  return token.type === 'op' && token.value === value
}

export function isName(c: Cursor, value: string, ahead = 0): boolean {
  const token = peek(c, ahead)
  return token.type === 'name' && token.value === value
}

/** Consumes the operator or keyword when it is next. */
export function skip(c: Cursor, type: 'op' | 'name', value: string): boolean {
  const token = peek(c)
  if (token.type !== type || token.value !== value) return false
  c.at++
  return true
}

export function expectOp(c: Cursor, value: string): Token {
  if (!isOp(c, value)) throw unexpected(peek(c), `'${value}'`)
  return next(c)
}

export function expect(c: Cursor, type: TokenType, what: string): Token {
  if (peek(c).type !== type) throw unexpected(peek(c), what)
  return next(c)
}

export function unexpected(token: Token, wanted?: string): TemplateFault {
  const got = token.type === 'eof' ? 'end of template' : `'${token.value}'`
  return new TemplateFault(`unexpected ${got}${wanted ? `, expected ${wanted}` : ''}`, token.line)
}
