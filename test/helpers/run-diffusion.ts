// Runs one request on a diffusion engine and keeps what its listener was told; frames are copied and given back, a call after the end is an error.
import type { DiffusionDone, DiffusionEngine, DiffusionRequest, Latents } from '../../src/engine/diffusion/diffusion.ts'
import { type AppError, toAppError } from '../../src/lib/errors.ts'
import { frameBytes, type PixelFormat } from '../../src/media/frames.ts'

export interface Output {
  format: PixelFormat
  width: number
  height: number
  count: number
  /** Bytes of each frame. */
  frames: Uint8Array[]
  /** [first, end) of each call. */
  parts: [number, number][]
}

export interface RanDiffusion {
  /** What happened, in order: `0:3/4` a step of output 0, `0 preview 2`, `0 frames 0-1`. */
  calls: string[]
  outputs: Output[]
  previews: { output: number; step: number; latents: Latents }[]
  done: DiffusionDone | undefined
  error: AppError | undefined
  /** Calls that came after `generate` had settled, and those that break an order. */
  faults: string[]
}

let asked = 0

/** A picture of 128x128 in 4 steps, unless said otherwise. */
export function pictureOf(prompt: string, more: Partial<DiffusionRequest> = {}): DiffusionRequest {
  return {
    requestId: `test-${process.pid}-${++asked}`,
    prompt,
    ...{ width: 128, height: 128, steps: 4, guidance: 3.5, seed: 7, outputs: 1, frames: 1, previewEvery: 0 },
    ...more,
  }
}

/** A clip of 9 frames of 128x96 in 4 steps, unless said otherwise. */
export function clipOf(prompt: string, more: Partial<DiffusionRequest> = {}): DiffusionRequest {
  return pictureOf(prompt, { height: 96, frames: 9, fps: 8, ...more })
}

/** Resolves when `generate` has settled, either way. `onCall` hears each call as it is kept. */
export async function runDiffusion(
  engine: DiffusionEngine,
  request: DiffusionRequest,
  { signal = new AbortController().signal, onCall = () => {} }: { signal?: AbortSignal; onCall?: (call: string) => void } = {},
): Promise<RanDiffusion> {
  const ran: RanDiffusion = { calls: [], outputs: [], previews: [], done: undefined, error: undefined, faults: [] }
  let settled = false
  const keep = (call: string) => {
    if (settled) ran.faults.push(`${call} after the end`)
    ran.calls.push(call)
    onCall(call)
  }
  try {
    ran.done = await engine.generate(
      request,
      {
        progress: (output, step, steps) => keep(`${output}:${step}/${steps}`),
        preview(output, step, latents) {
          ran.previews.push({ output, step, latents: { ...latents, data: latents.data.slice() } })
          keep(`${output} preview ${step}`)
        },
        frames(output, clip, first, end) {
          const { format, width, height, count } = clip
          ran.outputs[output] ??= { format, width, height, count, frames: [], parts: [] }
          const kept = ran.outputs[output]
          if (first !== kept.frames.length || end <= first || end > count)
            ran.faults.push(`frames ${first}-${end} after ${kept.frames.length}`)
          for (let index = first; index < end; index++) {
            const pixels = clip.frame(index)
            if (pixels.length !== frameBytes(format, width, height)) ran.faults.push(`frame ${index} has ${pixels.length} bytes`)
            kept.frames.push(pixels.slice())
          }
          kept.parts.push([first, end])
          if (end === count) {
            clip.release()
            clip.release()
          } else if (signal.aborted) clip.release()
          keep(`${output} frames ${first}-${end}`)
        },
      },
      signal,
    )
  } catch (thrown) {
    ran.error = toAppError(thrown)
  }
  settled = true
  // Whatever comes late shows itself in the next turns.
  await Bun.sleep(20)
  return ran
}
