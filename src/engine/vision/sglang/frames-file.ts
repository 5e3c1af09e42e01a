// A clip's frames as one file for SGLang's encoder, which takes clips as files only and picks their frames itself: at the rate that it looks at clips with, so that it
// picks every one, and as the PNG files that they are, so that none changes.
// AVI as Microsoft's "AVI RIFF File Reference" has it; `MPNG` is FFmpeg's name for PNG frames in it.

/** SGLang's FPS (multimodal/processors/qwen_vl.py): frames a second that it picks. */
const rate = 2
const keyFrame = 0x10
const hasIndex = 0x10

export const framesFileType = 'video/x-msvideo'

/** `frames`: PNG files of `width` × `height`, one or more. An odd one more is the last again, as processors fill up groups of two frames. */
export function framesFile(frames: readonly Uint8Array[], width: number, height: number): Uint8Array {
  const all = frames.length % 2 === 0 ? frames : [...frames, frames.at(-1)!]
  const largest = Math.max(...all.map(({ length }) => length))
  // Microseconds a frame, bytes a second, padding, flags, frames, first one, streams, largest chunk, size, reserved.
  const main = words(1e6 / rate, largest * rate, 0, hasIndex, all.length, 0, 1, largest, width, height, 0, 0, 0, 0)
  // Flags, priority, first one, scale, rate, start, length, largest chunk, quality, size of a sample, rectangle.
  const stream = [ascii('vids'), ascii('MPNG'), words(0, 0, 0, 1, rate, 0, all.length, largest, 0xffffffff, 0, 0, width | (height << 16))]
  // BITMAPINFOHEADER.
  const format = [words(40, width, height, 1 | (24 << 16)), ascii('MPNG'), words(width * height * 3, 0, 0, 0, 0)]
  const header = list('hdrl', [...chunk('avih', [main]), ...list('strl', [...chunk('strh', stream), ...chunk('strf', format)])])
  const index: Uint8Array[] = []
  let at = 4
  for (const { length } of all) {
    index.push(ascii('00dc'), words(keyFrame, at, length))
    at += 8 + length + (length % 2)
  }
  const movie = list(
    'movi',
    all.flatMap((frame) => chunk('00dc', [frame])),
  )
  return Buffer.concat(chunk('RIFF', [ascii('AVI '), ...header, ...movie, ...chunk('idx1', index)]))
}

function list(name: string, parts: readonly Uint8Array[]): Uint8Array[] {
  return chunk('LIST', [ascii(name), ...parts])
}

/** Padded to whole words, which its length does not tell. */
function chunk(name: string, parts: readonly Uint8Array[]): Uint8Array[] {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  return [ascii(name), words(length), ...parts, new Uint8Array(length % 2)]
}

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** 32 bits each, little endian. */
function words(...values: number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.length * 4))
  values.forEach((value, i) => {
    view.setUint32(i * 4, value, true)
  })
  return new Uint8Array(view.buffer)
}
