// Encoders whose files say what went in, with gates to hold them and faults to play.
import { AppError } from '../../../src/lib/errors.ts'
import type { Encoders } from '../../../src/pipeline/media/maker/encoders.ts'

export interface FakeEncoders extends Encoders {
  /** What happened: `image 128x128 png`, `clip 128x96 9`, `write 3`, `abort`. */
  log: string[]
  /** Encoders that run now. */
  active: number
}

export interface FakeFaults {
  /** Called before each picture and each frame; a rejection is the encoder's. */
  before?(what: 'image' | 'write' | 'preview'): Promise<void> | undefined
}

/** A file is JSON: what it was made from, and a hash of the pixels. */
export function fakeEncoders(faults: FakeFaults = {}): FakeEncoders {
  const file = (content: object) => new TextEncoder().encode(JSON.stringify(content))
  const self: FakeEncoders = {
    log: [],
    active: 0,
    async image(rgb, { width, height }, format) {
      self.active++
      try {
        await faults.before?.('image')
        self.log.push(`image ${width}x${height} ${format.type}`)
        if (rgb.length !== width * height * 3) throw new AppError('encoding_failed', { message: `${rgb.length} bytes` })
        const bytes = file({ ...format, width, height, hash: Bun.hash(rgb).toString(36) })
        return { bytes, contentType: `image/${format.type}`, extension: format.type }
      } finally {
        self.active--
      }
    },
    clip({ width, height, fps, frames }) {
      const hashes: string[] = []
      let aborted = false
      self.active++
      self.log.push(`clip ${width}x${height} ${frames}`)
      const end = () => {
        if (!aborted) self.active--
        aborted = true
      }
      return {
        async write(frame) {
          await faults.before?.('write')
          if (aborted) throw new AppError('client_closed_request', { message: 'given up' })
          self.log.push(`write ${hashes.length}`)
          hashes.push(Bun.hash(frame).toString(36))
        },
        async finish() {
          if (hashes.length !== frames) throw new AppError('encoding_failed', { message: `${hashes.length} of ${frames} frames` })
          end()
          return { bytes: file({ width, height, fps, hashes }), contentType: 'video/mp4', extension: 'mp4', note: 'fake' }
        },
        abort() {
          if (!aborted) self.log.push('abort')
          end()
        },
      }
    },
    async preview({ width, height }) {
      await faults.before?.('preview')
      return { rgb: new Uint8Array(width * height * 3), width, height }
    },
    toRgb: (_yuv, { width, height }) => new Uint8Array(width * height * 3),
  }
  return self
}
