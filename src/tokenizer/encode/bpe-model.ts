// What the plans for BPE models share: the seam between a plan and the encoder, and the reading of a BPE model.

import type { TokenizerJson } from '../tokenizer-json.ts'
import type { IdBuffer } from './id-buffer.ts'
import type { PieceEnd } from './pieces.ts'

export interface PieceEncoder {
  /** Appends the ids of a piece of normalized text. */
  encodePiece(text: string, out: IdBuffer): void
  /** The same for a very long piece, with a pause every few microseconds in which other texts may be encoded. */
  encodeSteps(text: string, out: IdBuffer): Generator<void>
}

/** How text without added tokens becomes ids. */
export interface TextPlan extends PieceEncoder {
  normalize(text: string): string
  /** Of normalized text; `atStart` when it begins the whole text. */
  preTokenize?(text: string, atStart: boolean): string
  pieceEnd: PieceEnd
}

/** A BPE model without the options that we do not do. */
export function isPlainBpe({ model }: TokenizerJson): boolean {
  const type = model.type ?? (model.merges ? 'BPE' : '')
  return type === 'BPE' && !model.dropout && !model.continuing_subword_prefix && !model.end_of_word_suffix && !Array.isArray(model.vocab)
}

/** [left, right, merged] ids of every merge, in rank order. */
export function mergeIds({ model }: TokenizerJson, vocab: ReadonlyMap<string, number>): Uint32Array {
  const merges = model.merges ?? []
  const ids = new Uint32Array(merges.length * 3)
  for (let i = 0; i < merges.length; i++) {
    const entry = merges[i]!
    let [left, right] = ['', '']
    if (typeof entry === 'string') {
      const space = entry.indexOf(' ')
      left = entry.slice(0, space)
      right = entry.slice(space + 1)
    } else [left, right] = entry
    ids[i * 3] = vocab.get(left)!
    ids[i * 3 + 1] = vocab.get(right)!
    ids[i * 3 + 2] = vocab.get(left + right)!
  }
  return ids
}
