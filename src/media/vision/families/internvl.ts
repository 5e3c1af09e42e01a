// InternVL as SGLang prepares it: as many square tiles as come nearest to the picture's shape, and the whole picture in one more. It normalises first and
// interpolates without antialiasing, so there is one way only, whatever backend is asked for.
import type { Eye, Family, ModelFiles, Numbers } from '../family.ts'
import { idOf, imageNet, object, side } from '../fields.ts'

export const internVlFamily: Family = { name: 'internvl', title: 'InternVL', modelTypes: ['internvl_chat', 'interns1'], eye }

/** SGLang's own, which do not look at the model's files (multimodal/processors/internvl.py). */
const tile = 448
const maxTiles = 12

function eye({ config, tokenId }: ModelFiles): Eye {
  const tower = object(config.vision_config)
  const file = 'config.json'
  const size = side(config.force_image_size ?? tower.image_size ?? tile, file, 'vision_config.image_size')
  const patch = side(tower.patch_size ?? 14, file, 'vision_config.patch_size')
  const shrink = typeof config.downsample_ratio === 'number' ? config.downsample_ratio : 0.5
  const perTile = Math.trunc(Math.floor(size / patch) ** 2 * shrink ** 2)
  const imageTokenId = idOf(config, ['image_token_id', 'img_context_token_id'], tokenId('<IMG_CONTEXT>'))
  const [start, end] = [tokenId('<img>') ?? imageTokenId - 2, tokenId('</img>') ?? imageTokenId - 1]
  const numbers: Numbers = {
    ...imageNet,
    filter: 'bicubic',
    rescale: 1 / 255,
    order: { patch: tile, merge: 1, temporal: 1 },
    tiled: true,
    interpolated: true,
  }
  return {
    imageTokenId,
    // The models' own chat writes the text <image>; newer templates write the token itself. Most published templates are those of the language model.
    written: { mark: '<image>', as: '<IMG_CONTEXT>', amongTexts: true, readsText: true },
    settings: { tile, maxTiles, perTile, ...numbers },
    numbers,
    recipe({ width, height }) {
      const [columns, rows] = nearestShape(width / height)
      const canvas = { width: columns * tile, height: rows * tile }
      const one = { width: tile, height: tile }
      const parts = (rows * columns > 1 ? [canvas, one] : [canvas]).map((size) => ({ resized: size, canvas: size, left: 0, top: 0 }))
      const tiles = rows * columns + parts.length - 1
      return { plan: { resized: [tile, tile], grid: [1, tiles, perTile], tokens: tiles * perTile, tiles: [rows, columns] }, parts }
    },
    expand: ({ tokens }) => [start, ...new Array<number>(tokens).fill(imageTokenId), end],
  }
}

/** Columns and rows; of two that are as near, the one with more tiles. */
function nearestShape(ratio: number): [number, number] {
  let best: [number, number] = [1, 1]
  let nearest = Number.POSITIVE_INFINITY
  for (let tiles = 1; tiles <= maxTiles; tiles++) {
    for (let columns = 1; columns <= tiles; columns++) {
      if (tiles % columns !== 0) continue
      const rows = tiles / columns
      const away = Math.abs(ratio - columns / rows)
      if (away > nearest || (away === nearest && tiles <= best[0] * best[1])) continue
      nearest = away
      best = [columns, rows]
    }
  }
  return best
}
