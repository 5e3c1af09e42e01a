// Ids to text for every decoder that we do not do ourselves (WordPiece, CTC, own sequences): the native decoder, over a window that
// moves on whenever its text has become certain.

import type { StreamDecoder } from '../tokenizer.ts'
import type { Detokenizer, TokenNames } from './detokenizer.ts'

/** @param join the native chain: the names of some tokens to their text */
export function nativeDecoder(names: TokenNames, join: (tokens: string[]) => string): Detokenizer {
  function decode(ids: ArrayLike<number>, skipSpecial: boolean): string {
    const tokens: string[] = []
    for (let i = 0; i < ids.length; i++) {
      const name = names.name(ids[i]!)
      if (name !== undefined && !(skipSpecial && names.isSpecial(ids[i]!))) tokens.push(name)
    }
    return join(tokens)
  }

  function stream(skipSpecial: boolean, promptTail?: ArrayLike<number>): StreamDecoder {
    // window: ids whose text is out (context for what follows, at most one step's worth) and then those that are not.
    let window: number[] = promptTail ? Array.from(promptTail).slice(-5) : []
    let shown = window.length
    const pending = () => decode(window, skipSpecial).slice(decode(window.slice(0, shown), skipSpecial).length)
    return {
      push(id) {
        if (names.name(id) === undefined || (skipSpecial && names.isSpecial(id))) return ''
        window.push(id)
        const text = pending()
        if (text === '' || text.endsWith('\ufffd')) return ''
        window = window.slice(shown)
        shown = window.length
        return text
      },
      end() {
        const text = pending()
        shown = window.length
        return text
      },
    }
  }

  return {
    decode,
    stream,
    token(id) {
      const text = decode([id], false)
      return { text, bytes: Buffer.from(text, 'utf8') }
    },
  }
}
