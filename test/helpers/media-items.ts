// Pictures of requests for tests that never decode them: sizes, rows and a name.
import { createHash } from 'node:crypto'
import type { MediaItem } from '../../src/engine/types.ts'

/** A picture of `rows` × `columns` merged patches (2 × 2 patches of 14 pixels each, as Qwen2.5-VL counts); its file holds `text`. */
export function madeUpPicture(text: string, rows = 3, columns = 4): MediaItem {
  const file = new TextEncoder().encode(text)
  return {
    kind: 'image',
    file,
    contentType: 'image/png',
    hash: createHash('sha256').update(file).digest('hex'),
    width: columns * 28,
    height: rows * 28,
    grid: [1, rows * 2, columns * 2],
    offset: 4,
    tokens: rows * columns,
    placeholder: 510,
    single: 510,
  }
}
