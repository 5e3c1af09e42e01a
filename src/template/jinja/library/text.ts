// Python's str where it differs from JavaScript's: what counts as blank, characters as code points, cases.

// Python's str.isspace: JavaScript's \s without U+FEFF, with the separators U+001C to U+001F and U+0085.
const blank = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000'
const leading = new RegExp(`^[${blank}]+`)
const trailing = new RegExp(`[${blank}]+$`)
const blanks = new RegExp(`[${blank}]+`, 'g')
const onlyBlank = new RegExp(`^[${blank}]+$`)

/** True for a UTF-16 unit that surely is no blank, so that most strings need no regular expression. */
const solid = (unit: number) => unit > 32 && unit < 127

export function stripStart(text: string, chars?: string): string {
  if (chars !== undefined) return stripChars(text, chars, true, false)
  return text === '' || solid(text.charCodeAt(0)) ? text : text.replace(leading, '')
}

export function stripEnd(text: string, chars?: string): string {
  if (chars !== undefined) return stripChars(text, chars, false, true)
  if (text === '' || solid(text.charCodeAt(text.length - 1))) return text
  return text.replace(trailing, '')
}

/** str.strip: of blanks, or of any of `chars`. */
export function strip(text: string, chars?: string): string {
  return chars === undefined ? stripEnd(stripStart(text)) : stripChars(text, chars, true, true)
}

function stripChars(text: string, chars: string, start: boolean, end: boolean): string {
  const set = new Set(chars)
  const points = [...text]
  let from = 0
  let to = points.length
  while (start && from < to && set.has(points[from]!)) from++
  while (end && to > from && set.has(points[to - 1]!)) to--
  return points.slice(from, to).join('')
}

/** str.split without a separator: at runs of blanks, no empty pieces. */
export function splitBlanks(text: string, limit = -1): string[] {
  const parts: string[] = []
  let rest = stripStart(text)
  while (rest !== '') {
    blanks.lastIndex = 0
    const gap = limit >= 0 && parts.length >= limit ? null : blanks.exec(rest)
    if (gap === null) {
      parts.push(rest)
      break
    }
    parts.push(rest.slice(0, gap.index))
    rest = rest.slice(gap.index + gap[0].length)
  }
  return parts
}

export const isBlank = (text: string) => onlyBlank.test(text)

const surrogate = /[\ud800-\udfff]/

/** The text as an indexable sequence of characters: itself when every character is one unit. */
export function points(text: string): string | string[] {
  return surrogate.test(text) ? [...text] : text
}

/** Order by code points, as Python compares. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0
  const [x, y] = [points(a), points(b)]
  for (let i = 0; i < x.length && i < y.length; i++) {
    const difference = x[i]!.codePointAt(0)! - y[i]!.codePointAt(0)!
    if (difference !== 0) return difference
  }
  return x.length - y.length
}

export const capitalize = (text: string) => text.charAt(0).toUpperCase() + text.slice(1).toLowerCase()
