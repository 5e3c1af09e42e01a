// What a file is, by its first bytes. Names and content types are what the sender says, so nobody asks them.

export type ImageKind = 'png' | 'jpeg' | 'webp' | 'gif'

const magics: readonly [kind: ImageKind, at: number, bytes: string][] = [
  ['png', 0, '\x89PNG\r\n\x1a\n'],
  ['jpeg', 0, '\xff\xd8\xff'],
  ['webp', 8, 'WEBP'],
  ['gif', 0, 'GIF87a'],
  ['gif', 0, 'GIF89a'],
]

/** What else people send, for a message that helps. */
const others: readonly [name: string, pattern: RegExp][] = [
  // A comment ends at its first `-->`: were it free to go on, every comment would double the ways to try.
  ['an SVG drawing', /^\s*(?:<\?xml[^>]*>\s*|<!--(?:(?!-->)[\s\S])*-->\s*|<!DOCTYPE[^>[]*(?:\[[^\]]*\]\s*)?>\s*)*<svg/i],
  ['a PDF document', /^%PDF-/],
  ['a web page', /^\s*<(?:!doctype html|html|head|body)/i],
  ['an AVIF or HEIC picture', /^[\s\S]{4}ftyp(?:avif|avis|heic|heix|mif1|msf1)/],
  ['an MP4 video', /^[\s\S]{4}ftyp/],
  ['a WebM or Matroska video', /^[\s\S]E\xdf\xa3/],
  ['an AVI video', /^RIFF[\s\S]{4}AVI /],
  ['a TIFF picture', /^(?:II\*\0|MM\0\*)/],
  ['a BMP picture', /^BM/],
  ['a ZIP archive', /^PK/],
  ['a WAV sound', /^RIFF[\s\S]{4}WAVE/],
  ['an MP3 sound', /^(?:ID3|\xff[\xf2\xf3\xfa\xfb])/],
  ['a FLAC sound', /^fLaC/],
  ['an Ogg file', /^OggS/],
]

/** undefined: none that is read here. */
export function sniff(bytes: Uint8Array): ImageKind | undefined {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 32)).toString('latin1')
  return magics.find(([kind, at, magic]) => head.startsWith(magic, at) && (kind !== 'webp' || head.startsWith('RIFF')))?.[0]
}

/** `a PNG picture`; undefined: none that is read here. */
export function pictureTitle(bytes: Uint8Array): string | undefined {
  const kind = sniff(bytes)
  return kind === undefined ? undefined : `a ${kind === 'webp' ? 'WebP' : kind.toUpperCase()} picture`
}

/** `a PDF document`; undefined when nobody knows. */
export function describe(bytes: Uint8Array): string | undefined {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 1024)).toString('latin1')
  return others.find(([, pattern]) => pattern.test(head))?.[0]
}
