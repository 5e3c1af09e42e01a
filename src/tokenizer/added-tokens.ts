// Finds the added tokens (special ones and others) in a text, as HF's AddedVocabulary does: leftmost, then longest.
import type { AddedTokenJson } from './tokenizer-json.ts'
import { space } from './unicode.ts'

/** A match: ids go out for `text[start..end)`, which may include white space that the token swallows. */
export interface AddedMatch {
  id: number
  start: number
  end: number
}

/** Finds the next match at or after `from`; undefined when there is none. */
export type AddedFinder = (text: string, from: number) => AddedMatch | undefined

const isSpace = new RegExp(`^${space}$`, 'v')

/** Makes the finder for one set of tokens. Tokens with `single_word` are not handled here (hf.ts leaves those to the native encoder). */
export function addedFinder(tokens: readonly AddedTokenJson[]): AddedFinder {
  const byText = new Map(tokens.filter((token) => token.content !== '').map((token) => [token.content, token]))
  if (byText.size === 0) return () => undefined
  // By first character: the lengths to try, longest first.
  const lengths = new Map<string, number[]>()
  for (const content of byText.keys()) {
    const list = lengths.get(content[0]!) ?? []
    if (!list.includes(content.length)) list.push(content.length)
    lengths.set(content[0]!, list)
  }
  for (const list of lengths.values()) list.sort((a, b) => b - a)
  const next = firstCharacterSearch([...lengths.keys()])

  return (text, from) => {
    for (let at = next(text, from); at >= 0; at = next(text, at + 1)) {
      for (const length of lengths.get(text[at]!)!) {
        if (at + length > text.length) continue
        const token = byText.get(text.slice(at, at + length))
        if (token) return withSpaces(token, text, from, at, at + length)
      }
    }
    return undefined
  }
}

/** Where any of the characters comes next, or -1. One character: a vectorised search; several: one pass over the text, never one each. */
function firstCharacterSearch(firsts: readonly string[]): (text: string, from: number) => number {
  if (firsts.length === 1) return (text, from) => text.indexOf(firsts[0]!, from)
  const wanted = new Uint8Array(65536)
  for (const first of firsts) wanted[first.charCodeAt(0)] = 1
  return (text, from) => {
    for (let at = from; at < text.length; at++) if (wanted[text.charCodeAt(at)] === 1) return at
    return -1
  }
}

function withSpaces(token: AddedTokenJson, text: string, from: number, start: number, end: number): AddedMatch {
  let [left, right] = [start, end]
  if (token.lstrip) while (left > from && isSpace.test(text[left - 1]!)) left--
  if (token.rstrip) while (right < text.length && isSpace.test(text[right]!)) right++
  return { id: token.id, start: left, end: right }
}
