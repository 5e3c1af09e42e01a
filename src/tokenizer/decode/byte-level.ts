// Ids to text for byte-level BPE. Most tokens are whole characters: their text comes from a table, filled on first use. Bytes are touched
// only for tokens that hold a part of a character, and while such a character is open.

import type { StreamDecoder } from '../tokenizer.ts'
import { letterBytes } from '../tokenizer-json.ts'
import { decodeAll } from './decode-all.ts'
import type { Detokenizer, TokenNames } from './detokenizer.ts'
import { isWhole, lossy, openBytes } from './utf8.ts'

const empty = new Uint8Array(0)

export function byteLevelDecoder(names: TokenNames): Detokenizer {
  // Per id: undefined not looked up yet, null holds a part of a character, else its text. One table for each `skipSpecial`.
  const shown: (string | null | undefined)[] = new Array(names.size)
  const skipped: (string | null | undefined)[] = new Array(names.size)

  function fill(table: (string | null | undefined)[], id: number): string | null {
    const bytes = bytesOf(names, id)
    const text = table === skipped && names.isSpecial(id) ? '' : isWhole(bytes) ? lossy(bytes) : null
    if (id >= 0 && id < names.size) table[id] = text
    return text
  }

  function stream(skipSpecial: boolean): StreamDecoder {
    const table = skipSpecial ? skipped : shown
    let open = empty
    return {
      push(id) {
        const known = table[id]
        const text = known === undefined ? fill(table, id) : known
        if (text !== null && open.length === 0) return text
        if (text === '') return ''
        const bytes = joined(open, bytesOf(names, id))
        const held = openBytes(bytes, bytes.length)
        open = held > 0 ? bytes.slice(bytes.length - held) : empty
        return lossy(bytes.subarray(0, bytes.length - held))
      },
      end() {
        const rest = lossy(open)
        open = empty
        return rest
      },
    }
  }

  return {
    stream,
    decode: (ids, skipSpecial) => decodeAll(stream(skipSpecial), ids),
    token(id) {
      const bytes = bytesOf(names, id)
      return { text: lossy(bytes), bytes }
    },
  }
}

/** The token's bytes. A token with a letter outside the byte alphabet (an added token) stands for its own text, as in HF tokenizers. */
function bytesOf(names: TokenNames, id: number): Uint8Array {
  const name = names.name(id)
  if (name === undefined) return empty
  const bytes = new Uint8Array(name.length)
  for (let i = 0; i < name.length; i++) {
    const byte = letterBytes.get(name[i]!)
    if (byte === undefined) return Buffer.from(name, 'utf8')
    bytes[i] = byte
  }
  return bytes
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(first.length + second.length)
  bytes.set(first)
  bytes.set(second, first.length)
  return bytes
}
