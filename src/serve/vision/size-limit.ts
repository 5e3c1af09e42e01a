// Which pictures and clips are too large for the encoders of this process: told before anything is sent to one, whatever its kind, in words that help the client.
import type { MediaItem } from '../../engine/types.ts'
import { patchesOf } from '../../engine/vision/embeddings.ts'
import { AppError } from '../../lib/errors.ts'
import type { VisionModel } from '../../media/vision/vision.ts'
import type { EncoderKind } from './make-encoder.ts'

/** Patches of one; absent: whatever the model's processor makes of it. */
export interface SizeLimits {
  picture?: number
  clip?: number
}

/** Throws `invalid_image`. */
export type SizeCheck = (item: MediaItem) => void

type Sight = Pick<VisionModel, 'plan' | 'mostPatches'>

/** Of clips in our own tower, at least: clips of a few seconds pass where a model's pictures are small. */
const usualClip = 16_384

/**
 * Bytes for each pair of patches, with SGLang 0.5.23 on a CPU: scores of all heads in float32, more than once, as its mask has three dimensions and torch's attention of little memory
 * takes two or four (41 measured with 4 heads, 151 with 16, float32 and bfloat16 alike); and a mask of a byte, of which it keeps the last 128 for their sizes.
 */
const bytesPerPair = (heads: number) => 10 * heads + 128
/** Is always taken: 448x448 with patches of 14. */
const leastOnCpu = 1024
/** Attention that needs no such room (layers/attention/vision.py). */
const otherAttention = 'amx_attn'

/** Patches of the largest picture for SGLang's encoder on a CPU: `encoders` of them share half of `available` bytes. Undefined with `args` that need no limit. */
export function patchesOnCpu(available: number, encoders: number, heads: number, args: readonly string[]): number | undefined {
  if (args.some((word) => word.split('=').at(-1) === otherAttention)) return undefined
  return Math.max(leastOnCpu, Math.floor(Math.sqrt(available / 2 / encoders / bytesPerPair(heads))))
}

/** Bytes that a process of this machine, or its container, could get now. */
export function availableMemory(): number {
  return Math.min(process.availableMemory(), process.constrainedMemory() || Number.POSITIVE_INFINITY)
}

/**
 * What the operator said goes for all. Else every picture that the model's processor allows is encoded, and our own tower takes clips as large as such a picture: its memory
 * grows with the patches that it sees together, which in Qwen2.5-VL are those of a whole clip. `onCpu`: what SGLang's encoder takes on a CPU.
 */
export function sizeLimits(explicit: number | undefined, kind: EncoderKind, { mostPatches = 0 }: Sight, onCpu?: number): SizeLimits {
  const most = explicit ?? (kind === 'sglang' ? onCpu : undefined)
  if (most !== undefined) return { picture: most, clip: most }
  return kind === 'onnx' ? { clip: Math.max(usualClip, mostPatches) } : {}
}

/** The check for `limits`. */
export function sizeCheck(limits: SizeLimits, sight: Sight): SizeCheck {
  return (item) => {
    const most = item.kind === 'image' ? limits.picture : limits.clip
    const patches = patchesOf(item)
    if (most === undefined || patches <= most) return
    throw new AppError('invalid_image', {
      message: item.kind === 'image' ? picture(item, patches, most, sight) : clip(item, patches, most),
    })
  }
}

function picture({ width, height }: MediaItem, patches: number, most: number, sight: Sight): string {
  const largest = largestOf(width, height, most, sight)
  const size = largest === undefined ? '' : ` (${largest[0]}x${largest[1]} in its shape)`
  return `The image is ${width}x${height}, ${patches} patches as the model sees it; images of at most ${most} patches${size} are taken here. Send a smaller one.`
}

function clip({ width, height, frames }: MediaItem, patches: number, most: number): string {
  const shown = frames === undefined ? 'The clip' : `The clip, ${frames.length} frames of ${width}x${height},`
  return `${shown} is ${patches} patches as the model sees it; clips of at most ${most} are taken here. Send a smaller or shorter one, or ask for fewer frames.`
}

/** Width and height of the largest picture of this shape with at most `most` patches; undefined where even the smallest has more. */
export function largestOf(width: number, height: number, most: number, { plan }: Sight): [number, number] | undefined {
  let found: [number, number] | undefined
  let low = 0
  let high = Math.max(width, height)
  while (low < high) {
    const side = Math.ceil((low + high) / 2)
    const scale = side / Math.max(width, height)
    const size: [number, number] = [Math.floor(width * scale), Math.floor(height * scale)]
    if (fits(size, most, plan)) {
      found = size
      low = side
    } else high = side - 1
  }
  return found
}

function fits([width, height]: readonly [number, number], most: number, plan: Sight['plan']): boolean {
  // A side of no pixels, or a shape that rounding made too steep.
  try {
    if (width === 0 || height === 0) return true
    const [t, h, w] = plan(width, height, '').grid
    return t * h * w <= most
  } catch {
    return true
  }
}
