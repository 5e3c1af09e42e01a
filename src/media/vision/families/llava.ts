// LLaVA 1.5 over CLIP or SigLIP: one square, cut out of the middle of the picture, or the picture in a square of the mean colour.
import type { Size } from '../../../../kernels/resize-bicubic/reference.ts'
import type { Eye, Family, ModelFiles, Numbers } from '../family.ts'
import { clip, field, idOf, numbersOf, object, side, whole } from '../fields.ts'
import { checkShape } from '../smart-resize.ts'

export const llavaFamilies: readonly Family[] = [{ name: 'llava', title: 'LLaVA 1.5', modelTypes: ['llava', 'llava_llama'], eye }]

function eye(files: ModelFiles): Eye {
  const { config, processor } = files
  const ratio = config.image_aspect_ratio
  if (typeof ratio === 'string' && ratio.startsWith('anyres'))
    throw field(
      'config.json',
      'image_aspect_ratio',
      `is ${ratio} (LLaVA-NeXT, OneVision), whose tiles are not prepared here; 'square' and 'pad' are`,
    )
  const numbersFromFile = numbersOf(files, { filter: 'bicubic', ...clip })
  const { square, shortest } = shapeOf(files)
  const imageTokenId = idOf(config, ['image_token_index', 'image_token_id'], files.tokenId('<image>'))
  const tower = object(config.vision_config)
  const patch = whole(tower.patch_size) ?? whole(processor.patch_size) ?? 14
  // CLIP's tower puts a class token before the patches, SigLIP's does not; all but `full` leave the first row away.
  const classToken = (tower.model_type ?? 'clip_vision_model') === 'clip_vision_model' ? 1 : 0
  const tokens = Math.floor(square / patch) ** 2 + classToken - (config.vision_feature_select_strategy === 'full' ? 0 : 1)
  const padded = processor.do_pad === true || config.image_aspect_ratio === 'pad'
  const numbers: Numbers = { ...numbersFromFile, order: { patch: square, merge: 1, temporal: 1 }, tiled: true }
  const colour = numbers.mean.map((part) => Math.trunc(part * 255)) as [number, number, number]
  return {
    imageTokenId,
    // No published template writes the <s>; transformers' processor puts it there, and so does SGLang's server for text alone.
    written: { mark: '<image>', as: '<image>', special: true, readsText: true },
    settings: { square, shortest, padded, tokens, ...numbers },
    numbers,
    recipe({ width, height }, param) {
      checkShape(width, height, param)
      const pad = padded && width !== height
      const long = Math.max(width, height)
      const whole = pad ? { width: long, height: long } : { width, height }
      const resized = shortest === undefined ? { width: square, height: square } : withShortest(whole, shortest)
      const [left, top] = [resized.width - square, resized.height - square].map((over) => -Math.floor(over / 2)) as [number, number]
      return {
        plan: { resized: [square, square], grid: [1, 1, tokens], tokens },
        ...(pad ? { pad: colour } : {}),
        parts: [{ resized, canvas: { width: square, height: square }, left, top }],
      }
    },
    expand: () => new Array<number>(tokens).fill(imageTokenId),
  }
}

/** `size`: { shortest_edge }, a number that means the same, or { height, width }; `crop_size` is cut out of the middle. */
function shapeOf({ processor }: ModelFiles): { square: number; shortest?: number } {
  const file = 'preprocessor_config.json'
  const size = processor.size ?? { shortest_edge: 224 }
  const shortest = whole(size) ?? whole(object(size).shortest_edge)
  if (shortest === undefined) return { square: side(size, file, 'size') }
  if (processor.do_center_crop === false) throw field(file, 'do_center_crop', 'is false, so pictures would have different sizes')
  const square = side(processor.crop_size ?? shortest, file, 'crop_size')
  if (square > shortest) throw field(file, 'crop_size', `is more than shortest_edge (${shortest})`)
  return { square, shortest }
}

function withShortest({ width, height }: Size, shortest: number): Size {
  const long = Math.trunc((shortest * Math.max(width, height)) / Math.min(width, height))
  return width <= height ? { width: shortest, height: long } : { width: long, height: shortest }
}
