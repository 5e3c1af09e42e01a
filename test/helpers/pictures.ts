// Pictures for tests, and requests of engines that carry them: made of a seed, so that equal seeds are equal files.
import { createHash } from 'node:crypto'
import sharp from 'sharp'
import type { GenerateRequest, MediaItem } from '../../src/engine/types.ts'
import type { VisionModel } from '../../src/media/vision/vision.ts'

/** A PNG of smooth colours and some noise. */
export async function pngOf(width: number, height: number, seed = 1): Promise<Uint8Array> {
  const rgb = new Uint8Array(width * height * 3)
  let state = seed >>> 0
  for (let i = 0; i < rgb.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    const x = (i / 3) % width
    rgb[i] = (128 + 100 * Math.sin((x * (1 + (i % 3))) / (9 + seed) + seed) + (state >>> 28)) & 255
  }
  return new Uint8Array(
    await sharp(rgb, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer(),
  )
}

/** `ids` with each picture in place of one `single` id, expanded as the pipeline does it. */
export async function withPictures(
  model: VisionModel,
  ids: readonly number[],
  files: readonly Uint8Array[],
): Promise<Pick<GenerateRequest, 'promptIds' | 'media'>> {
  const single = model.placeholderId ?? model.imageTokenId
  const prompt: number[] = []
  const media: MediaItem[] = []
  for (const id of ids) {
    if (id !== single) {
      prompt.push(id)
      continue
    }
    const file = files[media.length]!
    const { width, height } = await sharp(file).metadata()
    const plan = model.plan(width, height, 'test')
    const run = model.expand(plan)
    const at = { offset: prompt.length, tokens: run.length, placeholder: model.imageTokenId, single }
    media.push({ kind: 'image', file, contentType: 'image/png', hash: sha256(file), width, height, grid: plan.grid, ...at })
    prompt.push(...run)
  }
  return { promptIds: Uint32Array.from(prompt), media }
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
