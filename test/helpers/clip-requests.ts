// Requests with clips and pictures as the pipeline makes them for a Qwen model of models/, the client's files kept beside the frames.
import type { GenerateRequest } from '../../src/engine/types.ts'
import { usualClipLimits } from '../../src/media/input/clip/limits.ts'
import { defaultPolicy } from '../../src/media/input/policy.ts'
import { readClip } from '../../src/media/vision/clip.ts'
import { visionModelOf } from '../../src/media/vision/open.ts'
import { readPicture } from '../../src/media/vision/picture.ts'
import { readMedia, type Sight } from '../../src/pipeline/media-parts.ts'
import type { MediaPart } from '../../src/pipeline/types.ts'
import { loadTokenizer } from '../../src/tokenizer/hf.ts'
import { clipOf, dataUrl } from './clips.ts'
import { pngOf } from './pictures.ts'
import { requestOf } from './run-request.ts'

/** A short clip, a longer one of another container and rate, both with a picture between them after a text, two pictures, and a large one after a long text. 24 greedy tokens each. */
export async function clipRequests(folder: string): Promise<GenerateRequest[]> {
  const model = (await visionModelOf(folder))!
  const tokenizer = await loadTokenizer(folder)
  const reading = { model: model.clips!, policy: defaultPolicy, limits: usualClipLimits, keepFile: true }
  const sight: Sight = {
    model,
    clips: 'file',
    read: ({ kind, url, param }, signal) =>
      kind === 'image' ? readPicture(url, undefined, defaultPolicy, param, signal) : readClip(url, { ...reading, param, signal }),
  }
  // <|vision_start|> and <|vision_end|> of the fixtures.
  const [clip, picture] = [model.videoTokenId!, model.imageTokenId].map((single) => [1019, single, 1020]) as [number[], number[]]
  const part = (kind: 'image' | 'video', url: string): MediaPart => ({ kind, url, param: kind })
  const short = part('video', dataUrl(clipOf({ secs: 2, fps: 10 })))
  const webm = clipOf({ width: 96, height: 64, secs: 3, fps: '24000/1001', ending: 'webm', source: 'testsrc2' })
  const long = part('video', dataUrl(webm, 'video/webm'))
  const stillOf = async (width: number, height: number, seed: number) =>
    part('image', dataUrl(await pngOf(width, height, seed), 'image/png'))
  const [small, still, big] = await Promise.all([stillOf(112, 84, 1), stillOf(200, 120, 2), stillOf(640, 480, 3)])
  const ask = async (ids: number[], parts: MediaPart[]) => {
    const { signal } = new AbortController()
    const seen = await readMedia(Uint32Array.from(ids), parts, sight, (text) => tokenizer.encode(text, false), signal)
    return requestOf([], { max_new_tokens: 24, ignore_eos: true }, { promptIds: seen.promptIds, media: seen.media })
  }
  const text = Array.from({ length: 40 }, (_, k) => 60 + k)
  return [
    await ask([70, 71, ...clip, 72, 73], [short]),
    await ask([70, 71, ...clip, 72, 73], [long]),
    await ask([...text, ...clip, 72, ...picture, 74, ...clip, 75], [short, still, long]),
    await ask([70, ...picture, 72, ...picture, 74, 75], [small, still]),
    await ask([...text.toReversed(), ...text, ...picture, 72], [big]),
  ]
}
