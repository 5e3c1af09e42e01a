// Ids to text for sentencepiece vocabularies: ▁ is a space, runs of <0xNN> tokens are UTF-8 (all of a run that is not valid becomes one
// U+FFFD a byte, so a run is held back until it ends), and some models drop the space at the very beginning.

import type { StreamDecoder } from '../tokenizer.ts'
import { partsOf, type TokenizerJson } from '../tokenizer-json.ts'
import { decodeAll } from './decode-all.ts'
import type { Detokenizer, TokenNames } from './detokenizer.ts'
import { isWhole, lossy } from './utf8.ts'

export interface SentencePieceRules {
  byteFallback: boolean
  /** `text`: one space is dropped where the text begins. `token`: the first token loses every ▁. */
  atStart: 'keep' | 'text' | 'token'
}

/** The rules of a decoder by its exact structure; undefined when it is another one. */
export function sentencePieceRules(json: TokenizerJson): SentencePieceRules | undefined {
  const parts = partsOf(json.decoder, 'decoders')
  const [first, second, third, fourth] = parts
  if (parts.length === 1 && first?.type === 'Metaspace' && first.replacement === '▁') {
    const keep = first.prepend_scheme === 'never' || (first.prepend_scheme === undefined && first.add_prefix_space === false)
    return { byteFallback: false, atStart: keep ? 'keep' : 'token' }
  }
  const replaces = first?.type === 'Replace' && (first.pattern as { String?: string })?.String === '▁' && first.content === ' '
  if (!replaces || second?.type !== 'ByteFallback' || third?.type !== 'Fuse' || parts.length > 4) return undefined
  if (!fourth) return { byteFallback: true, atStart: 'keep' }
  const strips = fourth.type === 'Strip' && fourth.content === ' ' && fourth.start === 1 && fourth.stop === 0
  return strips ? { byteFallback: true, atStart: 'text' } : undefined
}

const byteToken = /^<0x([0-9A-Fa-f]{2})>$/

export function sentencePieceDecoder(names: TokenNames, rules: SentencePieceRules): Detokenizer {
  // Per id: undefined not looked up yet, a number is a byte token, else the token's text.
  const table: (string | number | undefined)[] = new Array(names.size)

  function textOf(id: number): string | number {
    const known = table[id]
    if (known !== undefined) return known
    const name = names.name(id) ?? ''
    const byte = rules.byteFallback ? byteToken.exec(name)?.[1] : undefined
    const text = byte === undefined ? name.replaceAll('▁', ' ') : Number.parseInt(byte, 16)
    if (id >= 0 && id < names.size) table[id] = text
    return text
  }

  /** True when something of the prompt's end is shown, so that the answer does not begin the text. */
  function begun(tail: ArrayLike<number> | undefined, skipSpecial: boolean): boolean {
    for (let i = 0; i < (tail?.length ?? 0); i++) if (!(skipSpecial && names.isSpecial(tail![i]!)) && textOf(tail![i]!) !== '') return true
    return false
  }

  function stream(skipSpecial: boolean, promptTail?: ArrayLike<number>): StreamDecoder {
    let start = rules.atStart !== 'keep' && !begun(promptTail, skipSpecial)
    let run: number[] = []

    function emit(text: string): string {
      if (!start || text === '') return text
      start = false
      return rules.atStart === 'text' && text.startsWith(' ') ? text.slice(1) : text
    }
    function flushRun(): string {
      if (run.length === 0) return ''
      const bytes = Uint8Array.from(run)
      run = []
      return isWhole(bytes) ? lossy(bytes) : '\ufffd'.repeat(bytes.length)
    }
    return {
      push(id) {
        if ((skipSpecial && names.isSpecial(id)) || names.name(id) === undefined) return ''
        const text = textOf(id)
        if (typeof text === 'number') {
          run.push(text)
          return ''
        }
        if (start && rules.atStart === 'token') {
          start = false
          return (names.name(id) ?? '').replaceAll('▁', '')
        }
        return emit(run.length > 0 ? flushRun() + text : text)
      },
      end: () => emit(flushRun()),
    }
  }

  return {
    stream,
    decode: (ids, skipSpecial) => decodeAll(stream(skipSpecial), ids),
    token(id) {
      const text = textOf(id)
      const bytes = typeof text === 'number' ? Uint8Array.of(text) : Buffer.from(text, 'utf8')
      return { text: lossy(bytes), bytes }
    },
  }
}
