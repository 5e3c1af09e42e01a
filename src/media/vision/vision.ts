// Seam: how one model sees pictures, read from its folder. Families are data (families.ts); what a picture becomes is planned from its size alone, so that
// prompts can be counted and placed before a pixel is decoded.

export type Backend = 'pil' | 'tv_u8' | 'tv_f32'

/** What a picture of one size becomes. */
export interface Plan {
  /** Height and width after resizing, of each tile where there are several. */
  resized: readonly [number, number]
  /** Temporal, vertical and horizontal patches; families without a grid: [1, tiles, tokens per tile]. */
  grid: readonly [number, number, number]
  /** Rows of the language model's input, and placeholders in its prompt. */
  tokens: number
  /** Rows and columns of tiles, where the prompt shows them (Llama 4). */
  tiles?: readonly [number, number]
}

/** A picture as the tower reads it. */
export interface Patches {
  /** [patches, patch size × patch size × channels × temporal patch], float32, normalised; tiles: [tiles, channels, height, width]. */
  values: Float32Array
  shape: readonly number[]
  grid: readonly [number, number, number]
  tokens: number
  /** The same before it was normalised and cut: each picture or canvas of tiles, [height, width, 3], one after another. Absent where there are no bytes. */
  pixels?: Uint8Array
  /** Gives the memory of `values` and `pixels` to the next picture; nobody may look at them then. A large picture's fresh memory costs more than the work. */
  release?(): void
}

export interface VisionModel {
  readonly family: string
  /** The id that is repeated for each row in the expanded prompt. */
  readonly imageTokenId: number
  /** The id that the template leaves for each picture, where it is not `imageTokenId` (Gemma 3, Llama 4): `expand` replaces that one. */
  readonly placeholderId?: number
  readonly videoTokenId?: number
  /** Says what the preprocessing depends on, for cache keys: family, limits, backend. */
  readonly settings: string
  /** Throws `invalid_image` naming `param` where the model takes no such picture (aspect ratio, size). */
  plan(width: number, height: number, param: string): Plan
  /** Around a picture whose single placeholder was expanded: what stands in the prompt instead of its one placeholder. */
  expand(plan: Plan): readonly number[]
  /** `rgb`: [height, width, 3], 8-bit sRGB, upright. */
  preprocess(rgb: Uint8Array, width: number, height: number, backend: Backend): Promise<Patches>
}
