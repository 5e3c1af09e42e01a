// Frames out of a stream of PPM files (netpbm's "P6", each with its own size), as ffmpeg writes them.

export interface Frame {
  /** [height, width, 3]. */
  rgb: Uint8Array
  width: number
  height: number
}

const head = /^P6\s(\d+)\s(\d+)\s(\d+)\s/
/** A head is shorter than this. */
const maxHead = 64

/** The frames of `stream`, each in memory of its own. Throws when what comes is no such stream, or when it ends inside a frame. */
export async function* pixmaps(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Frame> {
  let text = new Uint8Array(0)
  let frame: Frame | undefined
  let filled = 0
  for await (const piece of stream) {
    for (let at = 0; at < piece.length || (frame !== undefined && filled === frame.rgb.length); ) {
      if (frame === undefined) {
        const before = text.length
        text = joined(text, piece.subarray(at, at + maxHead - before))
        const found = head.exec(Buffer.from(text.buffer, text.byteOffset, text.length).toString('latin1'))
        if (found === null) {
          if (text.length >= maxHead) throw new Error('this is no stream of pixmaps')
          at = piece.length
          continue
        }
        const [width, height, levels] = [Number(found[1]), Number(found[2]), Number(found[3])]
        if (levels !== 255) throw new Error(`a pixmap of ${levels} levels`)
        frame = { rgb: new Uint8Array(3 * width * height), width, height }
        filled = 0
        at += found[0].length - before
        text = new Uint8Array(0)
      } else {
        const take = Math.min(frame.rgb.length - filled, piece.length - at)
        frame.rgb.set(piece.subarray(at, at + take), filled)
        filled += take
        at += take
        if (filled < frame.rgb.length) continue
        yield frame
        frame = undefined
      }
    }
  }
  if (frame !== undefined || text.length > 0) throw new Error('the stream ends inside a frame')
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(a.length + b.length)
  out.set(a)
  out.set(b, a.length)
  return out
}
