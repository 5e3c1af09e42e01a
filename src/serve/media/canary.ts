// The smallest job that proves an engine of images or videos: one step. What DYN_HEALTH_CHECK_PAYLOAD says of it wins.
import type { MakerInfo, MediaRequest } from '../../pipeline/media/media.ts'

/** About this many pixels a side; engines whose sizes go by larger multiples get one of theirs. */
const SIDE = 256

/** `payload`: Dynamo's body of a health check (`size`, `num_inference_steps`, `nvext`, …); what it does not say is the smallest there is. */
export function canaryRequest(info: MakerInfo, requestId: string, payload: Record<string, unknown> = {}): MediaRequest {
  const nvext = (payload.nvext ?? {}) as Record<string, unknown>
  const number = (name: string): number | undefined => {
    const value = nvext[name] ?? payload[name]
    return typeof value === 'number' && Number.isFinite(value) ? value : undefined
  }
  const [, width, height] = /^(\d+)x(\d+)$/.exec(String(payload.size ?? '')) ?? []
  const side = Math.ceil(SIDE / info.sizeMultiple) * info.sizeMultiple
  const guidance = number('guidance_scale')
  const clip = info.makes === 'video'
  return {
    requestId,
    kind: info.makes,
    prompt: typeof payload.prompt === 'string' ? payload.prompt : 'test',
    width: width === undefined ? side : Number(width),
    height: height === undefined ? side : Number(height),
    steps: number('num_inference_steps') ?? 1,
    ...(guidance === undefined ? {} : { guidance }),
    seed: number('seed') ?? 0,
    outputs: 1,
    ...(clip ? { frames: frames(number('num_frames'), info.frameMultiple), fps: number('fps') ?? 8 } : {}),
    images: [],
    // The cheapest to write: nobody looks at it.
    format: clip ? { type: 'mjpeg' } : { type: 'jpeg' },
    partials: 0,
    extra: {},
  }
}

/** Dynamo's payload asks Wan for 8 frames, which it cannot make: the nearest number below. */
function frames(wanted: number | undefined, multiple: number): number {
  const blocks = wanted === undefined ? 1 : Math.max(0, Math.floor((wanted - 1) / multiple))
  return blocks * multiple + 1
}
