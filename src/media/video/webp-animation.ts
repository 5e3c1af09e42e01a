// The container of animated WebP, written from still WebP files: RIFF chunks VP8X, ANIM and one ANMF a frame
// (developers.google.com/speed/webp/docs/riff_container). Frames are whole pictures, so none has to wait for another.

/** `stills`: lossy or lossless WebP files without alpha, each width x height. `starts`: when each frame begins, in ms; one more for the end. */
export function webpAnimation(stills: readonly Uint8Array[], starts: readonly number[], width: number, height: number): Uint8Array {
  const frames = stills.map((still) => imageChunk(still))
  const bytes = 12 + 18 + 14 + frames.reduce((sum, image) => sum + 24 + image.length, 0)
  const out = new Uint8Array(bytes)
  const view = new DataView(out.buffer)
  let at = 0
  const text = (value: string) => {
    for (let i = 0; i < value.length; i++) out[at++] = value.charCodeAt(i)
  }
  const u24 = (value: number) => {
    view.setUint16(at, value & 0xffff, true)
    out[at + 2] = value >>> 16
    at += 3
  }
  const u32 = (value: number) => {
    view.setUint32(at, value, true)
    at += 4
  }
  text('RIFF')
  u32(bytes - 8)
  text('WEBPVP8X')
  u32(10)
  u32(0b10) // animation, and nothing else
  u24(width - 1)
  u24(height - 1)
  text('ANIM')
  u32(6)
  u32(0xffffffff) // background: white, never seen
  view.setUint16(at, 0, true) // played for ever
  at += 2
  frames.forEach((image, i) => {
    text('ANMF')
    u32(16 + image.length)
    u24(0)
    u24(0)
    u24(width - 1)
    u24(height - 1)
    u24(Math.min(starts[i + 1]! - starts[i]!, 0xffffff))
    out[at++] = 0b10 // drawn over what was there without blending
    out.set(image, at)
    at += image.length
  })
  return out
}

/** The VP8 or VP8L chunk of a still, with its header and padding. */
function imageChunk(still: Uint8Array): Uint8Array {
  const view = new DataView(still.buffer, still.byteOffset, still.byteLength)
  for (let at = 12; at + 8 <= still.length; ) {
    const name = String.fromCharCode(...still.subarray(at, at + 4))
    const size = view.getUint32(at + 4, true)
    const end = at + 8 + size + (size & 1)
    if (name === 'VP8 ' || name === 'VP8L') return still.subarray(at, end)
    at = end
  }
  throw new Error('not a WebP picture')
}
