// How Qwen's models read clips, as SGLang 0.5.23 hands them over (multimodal/processors/qwen_vl.py, preprocess_video): two frames a second are picked and resized
// once by SGLang, then once more by the model's own processor, whose limits may be of a frame (Qwen2) or of the whole clip (Qwen3).

import type { Size } from '../../../kernels/resize-bicubic/reference.ts'
import { AppError } from '../../lib/errors.ts'
import { halfToEven, type PixelLimits, smartResize } from './smart-resize.ts'
import type { SamplingWishes } from './vision.ts'

export interface ClipRules extends PixelLimits {
  /** Side of a block of patches, and frames in one. */
  factor: number
  temporal: number
  /** The limits count the pixels of all frames together. */
  wholeClip: boolean
}

/** SGLang's own numbers, which are those of qwen-vl-utils: for every model, also where its blocks are larger. */
const own = { factor: 28, minPixels: 128 * 28 * 28, maxPixels: 768 * 28 * 28, allFrames: Math.trunc(128_000 * 28 * 28 * 0.9) }
const picked = { perSecond: 2, least: 4, most: 768, together: 2 }

/**
 * Positions of the frames that are looked at, ascending. `wishes`: SGLang's own words for its `video_config`. Throws `invalid_image` naming `param` for a clip of fewer
 * than two frames, and `invalid_value` for wishes that it cannot meet.
 */
export function sampleFrames(total: number, fps: number, param: string, wishes: SamplingWishes = {}): number[] {
  const { together } = picked
  if (total < together) {
    throw new AppError('invalid_image', {
      param,
      message: `The clip at ${param} has ${total === 1 ? '1 frame' : `${total} frames`}; ${together} is the fewest that the model reads.`,
    })
  }
  const count = countOf(total, fps, wishes)
  if (!(count >= together && count <= total)) {
    const asked = wishes.frames === undefined || wishes.frames === count ? `${count}` : `${wishes.frames}, rounded to ${count},`
    const message = `The clip at ${param} has ${total} frames, and the model reads an even number of them, ${together} or more: ${asked} cannot be picked. Ask for another number, or for none.`
    throw new AppError('invalid_value', { param, message })
  }
  const step = (total - 1) / (count - 1)
  return [...new Set(Array.from({ length: count }, (_, i) => (i === count - 1 ? total - 1 : Math.floor(i * step))))]
}

/** smart_nframes. */
function countOf(total: number, fps: number, { frames, fps: perSecond = picked.perSecond, minFrames, maxFrames }: SamplingWishes): number {
  const { together } = picked
  const down = (count: number) => Math.floor(count / together) * together
  if (frames !== undefined) return halfToEven(frames / together) * together
  const least = Math.ceil((minFrames ?? picked.least) / together) * together
  const most = down(maxFrames ?? Math.min(picked.most, total))
  return down(Math.min(Math.max((total / fps) * perSecond, least), most, total))
}

/** Sizes of the frames after SGLang's resize and after the processor's. Throws `invalid_image` naming `param`. */
export function clipSizes(frames: number, size: Size, rules: ClipRules, param: string): [Size, Size] {
  const first = firstSize(frames, size, param)
  if (!rules.wholeClip) return [first, sizeOf(smartResize(first.width, first.height, rules.factor, rules, param))]
  return [first, wholeClipSize(frames, first, rules)]
}

/** Of each of so many frames, after SGLang's own resize. Throws `invalid_image`. */
export function firstSize(frames: number, { width, height }: Size, param: string): Size {
  const share = (own.allFrames / frames) * picked.together
  const maxPixels = Math.max(Math.min(own.maxPixels, share), Math.trunc(own.minPixels * 1.05))
  return sizeOf(smartResize(width, height, own.factor, { minPixels: own.minPixels, maxPixels }, param))
}

/**
 * Qwen3's processor. `rounding`: how frames are counted against the limits; since transformers 5 halves go to the even number of groups, before that every begun
 * group counted.
 */
export function wholeClipSize(
  frames: number,
  given: Size,
  { factor, temporal, minPixels, maxPixels }: ClipRules,
  rounding: 'half-even' | 'up' = 'half-even',
): Size {
  const grow = Math.max(1, factor / given.height, factor / given.width)
  const [height, width] = grow > 1 ? [Math.trunc(given.height * grow), Math.trunc(given.width * grow)] : [given.height, given.width]
  const groups = rounding === 'up' ? Math.ceil(frames / temporal) : halfToEven(frames / temporal)
  const rounded = { height: halfToEven(height / factor) * factor, width: halfToEven(width / factor) * factor }
  const pixels = groups * temporal * rounded.height * rounded.width
  if (pixels > maxPixels) {
    const shrink = Math.sqrt((frames * height * width) / maxPixels)
    const less = (side: number) => Math.max(factor, Math.floor(side / shrink / factor) * factor)
    return { height: less(height), width: less(width) }
  }
  if (pixels < minPixels) {
    const more = Math.sqrt(minPixels / (frames * height * width))
    return { height: Math.ceil((height * more) / factor) * factor, width: Math.ceil((width * more) / factor) * factor }
  }
  return rounded
}

function sizeOf([height, width]: readonly [number, number]): Size {
  return { width, height }
}

/** The time of each group of `temporal` frames: the middle of its first and last, in seconds. Qwen3's prompt shows it before each group's tokens. */
export function groupSeconds(positions: readonly number[], fps: number, temporal: number): number[] {
  const last = positions.at(-1)!
  return Array.from({ length: Math.ceil(positions.length / temporal) }, (_, group) => {
    const [from, to] = [positions[group * temporal]!, positions[(group + 1) * temporal - 1] ?? last]
    return (from / fps + to / fps) / 2
  })
}
