// Embeddings as plain data: made with their name, checked against what the prompt expects. One row too few in the wrong place kills SGLang's scheduler, so everybody who
// hands rows on looks here first.
import { createHash } from 'node:crypto'
import { AppError } from '../../lib/errors.ts'
import type { MediaItem } from '../types.ts'
import type { Embeddings, EmbeddingType, EncoderInfo } from './vision.ts'

export const bytesPerValue: Readonly<Record<EmbeddingType, number>> = { float32: 4, bfloat16: 2, float16: 2 }

/** Rows with the name that SGLang gives them. `bytes` are kept, not copied. */
export function embeddings(bytes: Uint8Array, dim: number, type: EmbeddingType, grid: readonly [number, number, number]): Embeddings {
  const rows = bytes.length / (dim * bytesPerValue[type])
  return { rows, dim, type, bytes, grid, itemHash: itemHash(bytes) }
}

/** First 8 bytes, big endian, of SHA-256 (sglang 0.5.23, where a language server gets embeddings instead of pixels). */
export function itemHash(bytes: Uint8Array): bigint {
  return createHash('sha256').update(bytes).digest().readBigUInt64BE()
}

/** What an encoder's work grows with. */
export function patchesOf(item: MediaItem): number {
  const [t, h, w] = item.grid
  return t * h * w
}

/** Rows that the picture must become. `tokens` of a clip may also count what stands between its frames. */
export function rowsOf(item: MediaItem, info: Pick<EncoderInfo, 'patchesPerRow'>): number {
  return info.patchesPerRow === undefined ? item.tokens : patchesOf(item) / info.patchesPerRow
}

/**
 * Throws `engine_failed` unless `result` is what the prompt has room for: the item's rows and grid, the encoder's width and type, and numbers, as far as its first and last row
 * tell: of a tower whose sums overflow every row is lost, and a language model would answer nonsense without a word.
 */
export function checkEmbeddings(result: Embeddings, item: MediaItem, info: EncoderInfo): Embeddings {
  const { rows, dim, type, bytes, grid } = result
  if (rows !== rowsOf(item, info) || rows > item.tokens) throw wrong(`${rows} rows for ${item.tokens} placeholders`)
  if (dim !== info.dim || type !== info.type) throw wrong(`rows of ${dim} ${type} where ${info.dim} ${info.type} were announced`)
  if (bytes.length !== rows * dim * bytesPerValue[type]) throw wrong(`${bytes.length} bytes for ${rows} rows of ${dim} ${type}`)
  if (grid.some((side, i) => side !== item.grid[i]))
    throw wrong(`the grid ${grid.join('×')} where the prompt was made for ${item.grid.join('×')}`)
  const row = dim * bytesPerValue[type]
  if (!areNumbers(bytes.subarray(0, row), type) || !areNumbers(bytes.subarray(-row), type))
    throw wrong('rows that hold no numbers (NaN or infinite)')
  return result
}

/** Values whose exponent has all bits set are none. It lies in the upper half of each, and that is last. */
function areNumbers(bytes: Uint8Array, type: EmbeddingType): boolean {
  const exponent = type === 'float16' ? 0x7c00 : 0x7f80
  const size = bytesPerValue[type]
  for (let end = size; end <= bytes.length; end += size) {
    const half = (bytes[end - 1]! << 8) | bytes[end - 2]!
    if ((half & exponent) === exponent) return false
  }
  return true
}

function wrong(what: string): AppError {
  return new AppError('engine_failed', {
    message: `The vision encoder gave ${what}. Is it of the same model and settings as the language model?`,
  })
}
