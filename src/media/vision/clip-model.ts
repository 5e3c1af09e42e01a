// Clips as a vision tower reads them, by the rules of clips.ts.
import { normalizePatchify } from '../../../kernels/normalize-patchify/kernel.ts'
import { levelsOf } from '../../../kernels/normalize-patchify/levels.ts'
import { resizeVision } from '../../../kernels/resize-bicubic/kernel.ts'
import type { Size } from '../../../kernels/resize-bicubic/reference.ts'
import { giveBack } from '../../../kernels/spare.ts'
import { type ClipRules, clipSizes, firstSize, groupSeconds, sampleFrames } from './clips.ts'
import type { Numbers } from './family.ts'
import type { Backend, ClipModel, Patches, Plan } from './vision.ts'

export function clipModel({ marks, ...rules }: ClipRules & { marks?: readonly [number, number] }, numbers: Numbers): ClipModel {
  const { patch, merge, temporal } = numbers.order
  const planOf = (frames: number, size: Size): Plan => {
    const grid = [Math.ceil(frames / temporal), size.height / patch, size.width / patch] as const
    return { resized: [size.height, size.width], grid, tokens: (grid[0] * grid[1] * grid[2]) / merge ** 2 }
  }
  return {
    sample: sampleFrames,
    plan: (frames, width, height, param) => planOf(frames, clipSizes(frames, { width, height }, rules, param)[1]),
    seconds: (positions, fps) => (marks === undefined ? undefined : groupSeconds(positions, fps, temporal)),
    ...(marks === undefined ? {} : { marks }),
    async shrink(rgb, width, height, frames, param) {
      const size = firstSize(frames, { width, height }, param)
      return { rgb: await resizeVision(rgb, { width, height }, size, 'bilinear', 'tv_f32'), ...size }
    },
    async preprocess(frames, width, height, asked): Promise<Patches> {
      const backend: Backend = asked === 'pil' ? 'tv_u8' : asked
      const [first, second] = clipSizes(frames.length, { width, height }, rules, 'the clip')
      const resized: Uint8Array[] = []
      for (const frame of frames) {
        const near = await resizeVision(frame, { width, height }, first, 'bilinear', 'tv_f32')
        resized.push(await resizeVision(near, first, second, numbers.filter, backend))
      }
      // The last group is filled up with its last frame.
      while (resized.length % temporal !== 0) resized.push(resized.at(-1)!)
      const values = await normalizePatchify(resized, { ...second, ...numbers.order }, levelsOf(numbers, 'torch'))
      const { grid, tokens } = planOf(frames.length, second)
      return {
        values,
        shape: [grid[0] * grid[1] * grid[2], 3 * temporal * patch * patch],
        grid,
        tokens,
        release: once(() => giveBack(values)),
      }
    },
  }
}

function once(act: () => void): () => void {
  let done = false
  return () => {
    if (done) return
    done = true
    act()
  }
}
