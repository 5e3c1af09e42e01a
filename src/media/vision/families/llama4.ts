// Llama 4: the picture on the canvas of tiles that keeps most of it, in tiles, and after them the whole picture in one tile.
import type { Size } from '../../../../kernels/resize-bicubic/reference.ts'
import type { Eye, Family, ModelFiles, Numbers, Part } from '../family.ts'
import { half, idOf, numbersOf, object, side, whole } from '../fields.ts'

export const llama4Family: Family = { name: 'llama4', title: 'Llama 4', modelTypes: ['llama4'], eye }

function eye(files: ModelFiles): Eye {
  const { config, processor } = files
  const tile = side(processor.size ?? 336, 'preprocessor_config.json', 'size')
  const maxTiles = whole(processor.max_patches) ?? 16
  const largest = processor.resize_to_max_canvas === true
  const tower = object(config.vision_config)
  const ratio = typeof tower.pixel_shuffle_ratio === 'number' ? tower.pixel_shuffle_ratio : 0.5
  const perTile = Math.floor((tile / (whole(tower.patch_size) ?? 14)) ** 2 / Math.round(1 / ratio ** 2))
  const ids = idsOf(files)
  const numbers: Numbers = {
    ...numbersOf(files, { filter: 'bilinear', ...half }),
    bf16: true,
    order: { patch: tile, merge: 1, temporal: 1 },
    tiled: true,
  }
  const canvases = canvasesOf(maxTiles)
  const one = { width: tile, height: tile }
  return {
    imageTokenId: ids.patch,
    placeholderId: ids.image,
    settings: { tile, maxTiles, largest, perTile, ...numbers },
    numbers,
    recipe(size) {
      const [rows, columns] = bestCanvas(size, canvases, tile, largest)
      const canvas = { width: columns * tile, height: rows * tile }
      const parts: Part[] = [{ resized: within(size, canvas, largest ? undefined : tile), canvas, left: 0, top: 0 }]
      if (rows * columns > 1) parts.push({ resized: one, canvas: one, left: 0, top: 0 })
      const tiles = rows * columns + parts.length - 1
      return { plan: { resized: [tile, tile], grid: [1, tiles, perTile], tokens: tiles * perTile, tiles: [rows, columns] }, parts }
    },
    expand({ tiles = [1, 1] }) {
      const [rows, columns] = tiles
      const patches = new Array<number>(perTile).fill(ids.patch)
      const out = [ids.start]
      for (let row = 0; row < rows && rows * columns > 1; row++) {
        for (let column = 0; column < columns; column++) out.push(...patches, ...(column < columns - 1 ? [ids.nextColumn] : []))
        out.push(ids.nextRow)
      }
      return [...out, ids.image, ...patches, ids.end]
    },
  }
}

function idsOf({ config, tokenId }: ModelFiles) {
  return {
    start: idOf(config, ['boi_token_index'], tokenId('<|image_start|>') ?? 200_080),
    end: idOf(config, ['eoi_token_index'], tokenId('<|image_end|>') ?? 200_081),
    patch: idOf(config, ['image_token_index', 'image_token_id'], tokenId('<|patch|>')),
    image: tokenId('<|image|>') ?? 200_090,
    nextColumn: tokenId('<|tile_x_separator|>') ?? 200_084,
    nextRow: tokenId('<|tile_y_separator|>') ?? 200_085,
  }
}

/** All [rows, columns] of at most so many tiles, those of one shape together, shapes in the order in which they first come up. */
function canvasesOf(maxTiles: number): [number, number][] {
  const byShape = new Map<number, [number, number][]>()
  for (let tiles = maxTiles; tiles > 0; tiles--) {
    for (let rows = 1; rows <= tiles; rows++) {
      if (tiles % rows !== 0) continue
      const columns = tiles / rows
      byShape.set(rows / columns, [...(byShape.get(rows / columns) ?? []), [rows, columns]])
    }
  }
  return [...byShape.values()].flat()
}

/** The smallest that the picture fits into grown, or else the one that shrinks it least; of several the one with the fewest pixels. */
function bestCanvas(size: Size, canvases: readonly [number, number][], tile: number, largest: boolean): [number, number] {
  const f32 = Math.fround
  // Compared as float32, in which the processor computes them: so ties are the same ones.
  const scales = canvases.map(([rows, columns]) => Math.min(f32((rows * tile) / size.height), f32((columns * tile) / size.width)))
  const growing = scales.filter((scale) => scale >= 1)
  const chosen = growing.length === 0 ? Math.max(...scales) : largest ? Math.max(...growing) : Math.min(...growing)
  let best: [number, number] | undefined
  for (const [i, canvas] of canvases.entries()) {
    if (scales[i] === chosen && (best === undefined || canvas[0] * canvas[1] < best[0] * best[1])) best = canvas
  }
  return best!
}

/** The largest size of the same shape on the canvas; `grow`: a picture grows at most to this side. */
function within({ width, height }: Size, canvas: Size, grow: number | undefined): Size {
  const limit = (side: number, most: number) => (grow === undefined ? most : Math.min(Math.max(side, grow), most))
  const [toWidth, toHeight] = [limit(width, canvas.width), limit(height, canvas.height)]
  const [byWidth, byHeight] = [toWidth / width, toHeight / height]
  const atLeastOne = (side: number) => Math.max(side, 1)
  return byWidth < byHeight
    ? { width: toWidth, height: atLeastOne(Math.min(Math.floor(height * byWidth), toHeight)) }
    : { width: atLeastOne(Math.min(Math.floor(width * byHeight), toWidth)), height: toHeight }
}
