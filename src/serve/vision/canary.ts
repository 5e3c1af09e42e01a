// The smallest picture that proves an encoder, or the one that the operator's health payload names.
import type { MediaItem } from '../../engine/types.ts'
import { imageCodec } from '../../media/image/codec.ts'
import type { InputPolicy } from '../../media/input/policy.ts'
import { type Picture, readPicture } from '../../media/vision/picture.ts'
import type { VisionModel } from '../../media/vision/vision.ts'

const side = 56
const param = 'DYN_HEALTH_CHECK_PAYLOAD'

/** `payload` may name a picture as chat parts do: `image_url`, an address or `{url}`; one for other workers has none. Rejects where it cannot be read. */
export async function canaryPicture(
  sight: VisionModel,
  payload: Record<string, unknown> | undefined,
  policy: InputPolicy,
  signal: AbortSignal,
): Promise<MediaItem> {
  const url = payload === undefined ? undefined : pictureIn(payload)
  const { file, contentType, hash, width, height } =
    url === undefined ? await plain(policy, signal) : await readPicture(url, undefined, policy, param, signal)
  const { grid, tokens } = sight.plan(width, height, param)
  const { imageTokenId: placeholder, placeholderId: single = placeholder } = sight
  return { kind: 'image', file, contentType, hash, width, height, grid, offset: 0, tokens, placeholder, single }
}

async function plain(policy: InputPolicy, signal: AbortSignal): Promise<Picture> {
  const sharp = await imageCodec()
  const create = { width: side, height: side, channels: 3 as const, background: { r: 118, g: 126, b: 109 } }
  const file = await sharp({ create }).png().toBuffer()
  return readPicture(`data:image/png;base64,${file.toString('base64')}`, undefined, policy, param, signal)
}

/** The address in a health payload; undefined: it names no picture. */
export function pictureIn({ image_url: named }: Record<string, unknown>): string | undefined {
  const url = typeof named === 'object' && named !== null ? (named as { url?: unknown }).url : named
  return typeof url === 'string' ? url : undefined
}
