// How many frames the index of an MP4 or QuickTime file claims, read before anything is set aside for them: a track may claim thousands of millions in twenty bytes.

/** Boxes on the way to the sizes of a track's frames (ISO/IEC 14496-12, 8.1 to 8.7). */
const outer = new Set(['moov', 'trak', 'mdia', 'minf', 'stbl'])

interface Track {
  picture: boolean
  frames: number
}

/** Of its picture tracks, the most of one. Others are not counted: each sample of plain sound is an entry there. 0 for what is no such file. */
export function claimedFrames(bytes: Uint8Array): number {
  const tracks: Track[] = []
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  walk(view, 0, bytes.length, tracks)
  return tracks.reduce((most, { picture, frames }) => (picture ? Math.max(most, frames) : most), 0)
}

function walk(view: DataView, start: number, end: number, tracks: Track[]): void {
  for (let at = start; at + 8 <= end; ) {
    const name = nameAt(view, at + 4)
    const short = view.getUint32(at)
    const long = short === 1 && at + 16 <= end
    const size = long ? Number(view.getBigUint64(at + 8)) : short === 0 ? end - at : short
    const body = at + (long ? 16 : 8)
    if (size < body - at) return
    const last = Math.min(at + size, end)
    if (name === 'trak') tracks.push({ picture: false, frames: 0 })
    const track = tracks.at(-1)
    if (outer.has(name)) walk(view, body, last, tracks)
    // A version and flags; then the kind, or the one size of all and their number.
    else if (track !== undefined && body + 12 <= last) {
      if (name === 'hdlr') track.picture ||= nameAt(view, body + 8) === 'vide'
      if (name === 'stsz' || name === 'stz2') track.frames = Math.max(track.frames, view.getUint32(body + 8))
    }
    at += size
  }
}

function nameAt(view: DataView, at: number): string {
  return String.fromCharCode(view.getUint8(at), view.getUint8(at + 1), view.getUint8(at + 2), view.getUint8(at + 3))
}
