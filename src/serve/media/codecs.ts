// Finds out, while the engine loads, what pictures and clips will be written with: the first request does not wait for it, and operators know.
import { log } from '../../lib/log.ts'
import { imageCodec } from '../../media/image/codec.ts'
import { probeEncoders } from '../../media/video/probe.ts'
import type { MediaEngineOptions } from '../options.ts'

/** Rejects with `invalid_setting` when an encoder was asked for by name and does not work; anything else is told in the log, by and by. */
export async function openCodecs({ makes, media }: Pick<MediaEngineOptions, 'makes' | 'media'>): Promise<void> {
  imageCodec().catch((err) => log.error({ err }, 'pictures cannot be written'))
  if (makes !== 'video') return
  const { ffmpeg, encoder } = media
  const probing = probeEncoders({ ffmpeg, ...(encoder === undefined ? {} : { encoder }) })
  if (encoder !== undefined) await probing
  probing.then(
    ({ chosen, version, reason }) => {
      if (chosen !== undefined) log.info({ encoder: chosen, ffmpeg: version }, 'videos are encoded by ffmpeg')
      else log.warn({ reason }, 'videos become animated WebP files; with ffmpeg they would be MP4 (--ffmpeg)')
    },
    (err) => log.warn({ err }, 'ffmpeg could not be tried'),
  )
}
