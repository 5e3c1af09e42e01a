// Template source to tokens, with Jinja's whitespace rules as transformers sets them: trim_blocks, lstrip_blocks, no trailing newline.
import { TemplateFault } from '../fault.ts'
import { stripEnd } from '../library/text.ts'

export type TokenType = 'data' | 'printBegin' | 'printEnd' | 'blockBegin' | 'blockEnd' | 'name' | 'string' | 'number' | 'op' | 'eof'

export interface Token {
  type: TokenType
  /** Decoded text of a string, the digits of a number, the sign of an operator. */
  value: string
  line: number
}

const opener = /\{[%{#]/g
const rawBegin = /\{%[-+]?\s*raw\s*(?:-%\}\s*|%\})/y
const rawEnd = /\{%([-+]?)\s*endraw\s*(?:\+%\}|-%\}\s*|%\}\n?)/g
const commentEnd = /\+#\}|-#\}\s*|#\}\n?/g
const blockEnd = /\+%\}|-%\}\s*|%\}\n?/y
const printEnd = /-\}\}\s*|\}\}/y
const space = /\s+/y
const float = /(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?e[+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)/iy
const integer = /0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|[1-9](?:_?\d)*|0(?:_?0)*/iy
const name = /[\p{L}\p{N}_]+/uy
const string = /'[^'\\]*(?:\\[\s\S][^'\\]*)*'|"[^"\\]*(?:\\[\s\S][^"\\]*)*"/y
const operator = /\/\/|\*\*|[=!<>]=|[-+/*%~[\](){}<>=.:|,;]/y
const closing: Record<string, string> = { '{': '}', '(': ')', '[': ']' }

/** All tokens of a template, `eof` last. Throws TemplateFault with the line. */
export function tokenize(template: string): Token[] {
  const source = template.replace(/\r\n?/g, '\n').replace(/\n$/, '')
  const tokens: Token[] = []
  let pos = 0
  let line = 1
  /** The last thing consumed ended a line, so blanks before a block tag are the line's indent. */
  let lineStarting = true

  const advance = (to: number) => {
    for (let i = source.indexOf('\n', pos); i !== -1 && i < to; i = source.indexOf('\n', i + 1)) line++
    lineStarting = to > pos ? source[to - 1] === '\n' : lineStarting
    pos = to
  }
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = pos
    return pattern.exec(source)?.[0]
  }
  const pushData = (text: string, sign: string | undefined, isPrint: boolean) => {
    let kept = text
    if (sign === '-') kept = stripEnd(text)
    else if (sign !== '+' && !isPrint) {
      const start = text.lastIndexOf('\n') + 1
      if ((start > 0 || lineStarting) && /^\s+$/.test(text.slice(start))) kept = text.slice(0, start)
    }
    if (kept !== '') tokens.push({ type: 'data', value: kept, line })
  }

  while (pos < source.length) {
    opener.lastIndex = pos
    const found = opener.exec(source)
    if (found === null) {
      tokens.push({ type: 'data', value: source.slice(pos), line })
      break
    }
    const kind = found[0]
    const sign = source[found.index + 2]
    pushData(source.slice(pos, found.index), sign, kind === '{{')
    advance(found.index)
    const raw = kind === '{%' ? match(rawBegin) : undefined
    if (raw !== undefined) {
      advance(pos + raw.length)
      rawEnd.lastIndex = pos
      const end = rawEnd.exec(source)
      if (end === null) throw new TemplateFault('Missing end of raw directive', line)
      pushData(source.slice(pos, end.index), end[1], false)
      advance(end.index + end[0].length)
      continue
    }
    const head = sign === '-' || sign === '+' ? 3 : 2
    if (kind === '{#') {
      commentEnd.lastIndex = pos + head
      const end = commentEnd.exec(source)
      if (end === null) throw new TemplateFault('Missing end of comment tag', line)
      advance(end.index + end[0].length)
      continue
    }
    tokens.push({ type: kind === '{{' ? 'printBegin' : 'blockBegin', value: kind, line })
    advance(pos + head)
    inside(kind === '{{')
  }
  tokens.push({ type: 'eof', value: '', line })
  return tokens

  function inside(isPrint: boolean): void {
    const open: string[] = []
    while (true) {
      const end = open.length === 0 ? match(isPrint ? printEnd : blockEnd) : undefined
      if (end !== undefined) {
        tokens.push({ type: isPrint ? 'printEnd' : 'blockEnd', value: end.trim(), line })
        advance(pos + end.length)
        return
      }
      if (pos >= source.length) throw new TemplateFault(`unexpected end of template, expected '${isPrint ? '}}' : '%}'}'`, line)
      const blank = match(space)
      if (blank !== undefined) {
        advance(pos + blank.length)
        continue
      }
      const text = match(operator)
      if (text !== undefined) balance(text, open)
      else pushWord()
      if (text !== undefined) {
        tokens.push({ type: 'op', value: text, line })
        advance(pos + text.length)
      }
    }
  }

  function pushWord(): void {
    const afterDot = source[pos - 1] === '.'
    for (const [type, pattern] of [
      ['number', float],
      ['number', integer],
      ['name', name],
      ['string', string],
    ] as const) {
      if (pattern === float && afterDot) continue
      const text = match(pattern)
      if (text === undefined) continue
      tokens.push({ type, value: type === 'string' ? decodeString(text.slice(1, -1), line) : text, line })
      advance(pos + text.length)
      return
    }
    throw new TemplateFault(`unexpected char '${source[pos]}'`, line)
  }

  function balance(text: string, open: string[]): void {
    const close = closing[text]
    if (close !== undefined) open.push(close)
    else if (text === '}' || text === ')' || text === ']') {
      const expected = open.pop()
      if (expected !== text) throw new TemplateFault(`unexpected '${text}'${expected ? `, expected '${expected}'` : ''}`, line)
    }
  }
}

const simpleEscapes: Record<string, string> = {
  '\n': '',
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
}

/** Python's string escapes; an unknown one stays as it is written. */
function decodeString(text: string, line: number): string {
  if (!text.includes('\\')) return text
  return text.replace(/\\(x[\da-f]{2}|u[\da-f]{4}|U[\da-f]{8}|[0-7]{1,3}|[\s\S])/gi, (whole, code: string) => {
    const simple = simpleEscapes[code]
    if (simple !== undefined) return simple
    if (/^[0-7]/.test(code)) return String.fromCharCode(Number.parseInt(code, 8))
    if (/^[xuU]/.test(code) && code.length > 1) return String.fromCodePoint(Number.parseInt(code.slice(1), 16))
    if (/^[xuUN]/.test(code)) throw new TemplateFault(`unsupported or truncated escape \\${code}`, line)
    return whole
  })
}
