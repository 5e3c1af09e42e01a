// What a family of vision models is: how it is known by its files, and what they say about a picture of any size. Families are data and pure functions;
// preprocess.ts does what a recipe says.
import type { PatchOrder } from '../../../kernels/normalize-patchify/reference.ts'
import type { Size } from '../../../kernels/resize-bicubic/reference.ts'
import type { ClipRules } from './clips.ts'
import type { Plan, Written } from './vision.ts'

export type Json = Readonly<Record<string, unknown>>

/** The files of a model folder, as far as they say how pictures are read. */
export interface ModelFiles {
  /** config.json. */
  config: Json
  /** preprocessor_config.json, under it processor_config.json and its image_processor. */
  processor: Json
  /** video_preprocessor_config.json, or an empty object. */
  video: Json
  /** The id of a special token; undefined when the tokenizer has no such one. */
  tokenId(text: string): number | undefined
}

/** One resized copy of the picture, laid on a black canvas at `left`, `top`; negative: what hangs over is cut off. */
export interface Part {
  resized: Size
  canvas: Size
  left: number
  top: number
}

/** What is done with a picture of one size. */
export interface Recipe {
  plan: Plan
  /** First: a square around the picture, in this colour. */
  pad?: readonly [number, number, number]
  parts: readonly Part[]
}

/** How numbers are made of the parts. */
export interface Numbers {
  filter: 'bilinear' | 'bicubic'
  mean: readonly [number, number, number]
  std: readonly [number, number, number]
  rescale: number
  /** In bfloat16, as Llama 4 does. */
  bf16?: boolean
  /** Of the rows: patches of a grid, or tiles. */
  order: Pick<PatchOrder, 'patch' | 'merge' | 'temporal'>
  /** Rows are tiles [tiles, 3, side, side], not [patches, values]. */
  tiled: boolean
  /** Normalised first and interpolated then (InternVL): no bytes in between, and no backends. */
  interpolated?: boolean
}

/** How one model reads pictures. */
export interface Eye {
  imageTokenId: number
  videoTokenId?: number
  placeholderId?: number
  startTokenId?: number
  written?: Written
  /** Everything that a plan or its numbers depend on, for cache keys. */
  settings: Json
  numbers: Numbers
  /** Of the largest picture. */
  mostPatches?: number
  /** Throws `invalid_image` naming `param`. */
  recipe(size: Size, param: string): Recipe
  expand(plan: Plan): readonly number[]
  /** Absent: no clips. `marks`: the ids around each group of frames, where the prompt shows their times. */
  clips?: ClipRules & { marks?: readonly [number, number] }
}

export interface Family {
  name: string
  /** For people. */
  title: string
  /** `model_type` in config.json. */
  modelTypes: readonly string[]
  /** Throws `model_files_invalid` naming the file and field. */
  eye(files: ModelFiles): Eye
}
