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

/** The same rows before they were normalised: a quarter of the memory, for whoever looks the numbers up where he needs them. */
export interface BytePatches extends Pick<Patches, 'shape' | 'grid' | 'tokens' | 'release'> {
  bytes: Uint8Array
  /** As `levelsOf` gives them: what a byte of each channel becomes. */
  levels: Float32Array
}

/** How a picture is written in prompts of a family whose processor changes the text around it before it is read into ids. */
export interface Written {
  /** What a template writes for a picture. */
  mark: string
  /** What is put in its place; it holds the text of the one id that `expand` replaces. */
  as: string
  /** The processor reads the prompt with the tokenizer's own special tokens (a <s> in front). */
  special?: boolean
  /** SGLang's processor of these models takes no ids beside pictures, or would write what stands around them a second time. */
  readsText?: boolean
  /** Templates that know texts alone get `mark` among the texts of a message, a line each. */
  amongTexts?: boolean
}

export interface VisionModel {
  readonly family: string
  /** The id that is repeated for each row in the expanded prompt. */
  readonly imageTokenId: number
  /** The id that the template leaves for each picture, where it is not `imageTokenId` (Gemma 3, Llama 4): `expand` replaces that one. */
  readonly placeholderId?: number
  readonly videoTokenId?: number
  /** The id that opens a picture or clip. Where there is one, engines look at the id after it without asking whether there is any. */
  readonly startTokenId?: number
  /** Absent: templates leave the one id, and nothing has to be done before their text is read into ids. */
  readonly written?: Written
  /** Says what the preprocessing depends on, for cache keys: family, limits, backend. */
  readonly settings: string
  /** Of the largest picture that its processor makes; absent: not known. */
  readonly mostPatches?: number
  /** Throws `invalid_image` naming `param` where the model takes no such picture (aspect ratio, size). */
  plan(width: number, height: number, param: string): Plan
  /** Around a picture whose single placeholder was expanded: what stands in the prompt instead of its one placeholder. */
  expand(plan: Plan): readonly number[]
  /** `rgb`: [height, width, 3], 8-bit sRGB, upright. */
  preprocess(rgb: Uint8Array, width: number, height: number, backend: Backend): Promise<Patches>
  /** The same as bytes; absent where no bytes lie in between (InternVL). */
  preprocessBytes?(rgb: Uint8Array, width: number, height: number, backend: Backend): Promise<BytePatches>
  /** Absent: the model takes no clips here. */
  readonly clips?: ClipModel
}

/** What a client wants to be looked at, where it does not leave that to the model. */
export interface SamplingWishes {
  /** So many, evenly. The others are not heard then. */
  frames?: number
  /** Frames of a second. */
  fps?: number
  minFrames?: number
  maxFrames?: number
}

/** How a model reads clips: some of the frames, all resized alike. */
export interface ClipModel {
  /** Positions of the frames that are looked at, ascending. Throws `invalid_image` or `invalid_value` naming `param` where there are too few. */
  sample(total: number, fps: number, param: string, wishes?: SamplingWishes): readonly number[]
  /** A frame, [height, width, 3], as the first of two resizes leaves it where `frames` are looked at: what comes of it is the same, and it is small. Again changes nothing. */
  shrink(
    rgb: Uint8Array,
    width: number,
    height: number,
    frames: number,
    param: string,
  ): Promise<{ rgb: Uint8Array; width: number; height: number }>
  /** Of that many sampled frames. Throws `invalid_image` naming `param`. */
  plan(frames: number, width: number, height: number, param: string): Plan
  /** Seconds that the prompt shows before each group of frames (Qwen3-VL), of the frames at `positions`; undefined where it shows none. */
  seconds(positions: readonly number[], fps: number): readonly number[] | undefined
  /** The ids around the rows of each group, where the prompt shows seconds. */
  readonly marks?: readonly [start: number, end: number]
  /** Of the sampled frames, each [height, width, 3]. There is no Pillow way for clips: `pil` is `tv_u8`. */
  preprocess(frames: readonly Uint8Array[], width: number, height: number, backend: Backend): Promise<Patches>
}
