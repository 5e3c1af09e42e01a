// Finds the added tokens (special ones and others) in a text, as HF's AddedVocabulary does: leftmost, then longest.
import type { AddedTokenJson } from '../tokenizer-json.ts'
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

/** Makes the finder for one set of tokens. Tokens with `single_word` are not handled here (plan.ts leaves those to the native encoder). */
export function addedFinder(tokens: readonly AddedTokenJson[]): AddedFinder {
  const byText = new Map(tokens.filter((token) => token.content !== '').map((token) => [token.content, token]))
  if (byText.size === 0) return () => undefined
  const pattern = new RegExp(trieSource([...byText.keys()]), 'g')
  return (text, from) => {
    pattern.lastIndex = from
    const match = pattern.exec(text)
    if (!match) return undefined
    const token = byText.get(match[0])!
    return withSpaces(token, text, from, match.index, match.index + match[0].length)
  }
}

/** A regex for any of the words, the longest that fits: shared beginnings are written once, so that a near miss costs little. */
function trieSource(words: readonly string[]): string {
  const tails = new Map<string, string[]>()
  for (const word of words) {
    if (word === '') continue
    const list = tails.get(word[0]!)
    if (list) list.push(word.slice(1))
    else tails.set(word[0]!, [word.slice(1)])
  }
  if (tails.size === 0) return ''
  const branches = [...tails].map(([unit, rest]) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}${trieSource(rest)}`)
  const source = branches.length === 1 ? branches[0]! : `(?:${branches.join('|')})`
  return words.includes('') ? `(?:${source})?` : source
}

function withSpaces(token: AddedTokenJson, text: string, from: number, start: number, end: number): AddedMatch {
  let [left, right] = [start, end]
  if (token.lstrip) while (left > from && isSpace.test(text[left - 1]!)) left--
  if (token.rstrip) while (right < text.length && isSpace.test(text[right]!)) right++
  return { id: token.id, start: left, end: right }
}
