// How often a JPEG file paints over its picture. Progressive files do it about ten times; the format allows thousands, each as much work as a whole picture of its size
// and some 40 bytes long.

/** Scans up to the end of the image, found as libjpeg finds them: bytes between segments are passed over (ITU-T T.81, annex B). */
export function jpegScans(file: Uint8Array): number {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.length)
  let scans = 0
  for (let at = bytes.indexOf(0xff, 2); at >= 0 && at + 3 < bytes.length; at = bytes.indexOf(0xff, at)) {
    const marker = bytes[at + 1]!
    if (marker === 0xff) at++
    else if (marker <= 1 || (marker >= 0xd0 && marker <= 0xd8)) at += 2
    else if (marker === 0xd9) break
    else {
      if (marker === 0xda) scans++
      at += 2 + bytes.readUInt16BE(at + 2)
    }
  }
  return scans
}
