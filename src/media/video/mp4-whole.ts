// Whether a file can be an MP4 that was finished: its boxes at the top (ISO/IEC 14496-12, 4.2), without looking inside them.

/** undefined: `ftyp` is first, `moov` and a filled `mdat` are there, and the boxes end where the file ends; else what is wrong, for the log. */
export function mp4Fault(file: Uint8Array): string | undefined {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const seen = new Set<string>()
  for (let at = 0; at < file.length; ) {
    if (file.length - at < 8) return `${file.length - at} bytes follow the last box`
    const name = String.fromCharCode(...file.subarray(at + 4, at + 8))
    let size = view.getUint32(at)
    let head = 8
    if (size === 1 && file.length - at >= 16) {
      // A long box has its size after its name.
      size = Number(view.getBigUint64(at + 8))
      head = 16
    } else if (size === 0) size = file.length - at
    if (at === 0 && name !== 'ftyp') return 'it does not begin with ftyp'
    if (size < head || size > file.length - at) return `the box at byte ${at} says that it has ${size} bytes, ${file.length - at} are left`
    if (size > head) seen.add(name)
    at += size
  }
  const missing = ['ftyp', 'moov', 'mdat'].find((name) => !seen.has(name))
  return missing === undefined ? undefined : `it has no ${missing}`
}
