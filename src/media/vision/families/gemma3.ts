// Gemma 3: every picture as one square, whatever its shape. The template writes one <start_of_image>; in the prompt stand a blank line, the picture between
// its marks, and another blank line. Pan and scan (more squares for long pictures) is off, as everywhere by default.
import type { Eye, Family, ModelFiles, Numbers } from '../family.ts'
import { field, half, idOf, numbersOf, side, whole } from '../fields.ts'

export const gemma3Family: Family = { name: 'gemma3', title: 'Gemma 3', modelTypes: ['gemma3'], eye }

const startMark = '<start_of_image>'

function eye(files: ModelFiles): Eye {
  const { config, processor } = files
  if (processor.do_pan_and_scan === true) throw field('preprocessor_config.json', 'do_pan_and_scan', 'is true, which is not supported')
  const square = side(processor.size ?? 224, 'preprocessor_config.json', 'size')
  const tokens = whole(config.mm_tokens_per_image) ?? whole(processor.image_seq_length) ?? 256
  const imageTokenId = idOf(config, ['image_token_index', 'image_token_id'], files.tokenId('<image_soft_token>'))
  const start = idOf(config, ['boi_token_index'], files.tokenId(startMark) ?? 255_999)
  const end = idOf(config, ['eoi_token_index'], files.tokenId('<end_of_image>') ?? 256_000)
  const numbers: Numbers = {
    ...numbersOf(files, { filter: 'bilinear', ...half }),
    order: { patch: square, merge: 1, temporal: 1 },
    tiled: true,
  }
  const canvas = { width: square, height: square }
  return {
    imageTokenId,
    placeholderId: start,
    // As text, because a tokenizer makes one id of the blank line and a line end that stands before it.
    written: { mark: startMark, as: `\n\n${startMark}\n\n`, readsText: true },
    settings: { square, tokens, ...numbers },
    numbers,
    recipe: () => ({
      plan: { resized: [square, square], grid: [1, 1, tokens], tokens },
      parts: [{ resized: canvas, canvas, left: 0, top: 0 }],
    }),
    expand: () => [start, ...new Array<number>(tokens).fill(imageTokenId), end],
  }
}
