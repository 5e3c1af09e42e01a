// A maker over the mock engine and encoders whose files say what went in, for the tests of local-maker.
import { type MockDiffusionOptions, mockDiffusion } from '../../../src/engine/mock/diffusion/engine.ts'
import { type LocalMakerOptions, localMaker } from '../../../src/pipeline/media/local-maker.ts'
import type { Made, MediaListener, MediaRequest } from '../../../src/pipeline/media/media.ts'
import { fakeEncoders } from '../../helpers/fakes/encoders.ts'

export const flux = 'models/tiny-FLUX.1-dev'
export const wan = 'models/tiny-Wan2.1-T2V-1.3B'
export const never = new AbortController().signal

export async function world(engineOptions: Partial<MockDiffusionOptions> = {}, more: Partial<LocalMakerOptions> = {}) {
  const engine = mockDiffusion({ modelPath: flux, speedupRatio: 1e6, ...engineOptions })
  await engine.start()
  const encoders = fakeEncoders()
  const maker = localMaker({ id: 'w0', engine, encoders, random: () => 0.25, ...more })
  return { engine, encoders, maker }
}

export function picture(more: Partial<MediaRequest> = {}): MediaRequest {
  const size = { width: 128, height: 128, steps: 4 }
  return {
    requestId: 'r',
    kind: 'image',
    prompt: 'p',
    outputs: 1,
    images: [],
    format: { type: 'png' },
    partials: 0,
    extra: {},
    ...size,
    ...more,
  }
}

export function clip(more: Partial<MediaRequest> = {}): MediaRequest {
  return picture({ kind: 'video', height: 96, frames: 9, fps: 8, format: { type: 'mp4' }, ...more })
}

/** What a listener was told, one line each. */
export function listening(): { told: string[]; listener: MediaListener } {
  const told: string[] = []
  return {
    told,
    listener: {
      queued: (ahead) => told.push(`queued ${ahead}`),
      started: (id) => told.push(`started ${id}`),
      progress: (step, steps, output, fraction) => told.push(`${output}:${step}/${steps} ${fraction}`),
      partial: (output, index, file) => told.push(`partial ${output}.${index} ${file.contentType} ${file.width}x${file.height}`),
      output: (index, file) => told.push(`output ${index} ${file.contentType}`),
      frame: (index, jpeg) => told.push(`frame ${index} ${jpeg.length > 0}`),
    },
  }
}

export const parse = (made: Made, index = 0) => JSON.parse(new TextDecoder().decode(made.files[index]!.bytes))
export const code = (job: Promise<unknown>) =>
  job.then(
    () => 'made',
    (error) => error.code,
  )

export async function until(what: () => boolean): Promise<void> {
  for (let i = 0; !what(); i++) {
    if (i > 2000) throw new Error('it never came')
    await Bun.sleep(2)
  }
}
