// What kind of sound file this is, by its first bytes. ffmpeg is told and never left to guess.

const text = (at: number, ...magics: string[]) => {
  return (head: Buffer) => magics.some((magic) => head.toString('latin1', at, at + magic.length) === magic)
}

const known: readonly { demuxer: string; title: string; is(head: Buffer): boolean }[] = [
  { demuxer: 'wav', title: 'WAV', is: (head) => text(0, 'RIFF')(head) && text(8, 'WAVE')(head) },
  { demuxer: 'flac', title: 'FLAC', is: text(0, 'fLaC') },
  { demuxer: 'ogg', title: 'Ogg', is: text(0, 'OggS') },
  { demuxer: 'mov', title: 'M4A', is: text(4, 'ftyp') },
  { demuxer: 'matroska', title: 'WebM', is: text(0, '\x1aE\xdf\xa3') },
  // ADTS: eleven bits of ones and layer 0; MPEG audio has another layer there.
  { demuxer: 'aac', title: 'AAC', is: ([a, b]) => a === 0xff && (b! & 0xf6) === 0xf0 },
  { demuxer: 'mp3', title: 'MP3', is: (head) => text(0, 'ID3')(head) || (head[0] === 0xff && (head[1]! & 0xe6) > 0xe0) },
]

/** undefined: none that is read here. */
export function soundContainerOf(bytes: Uint8Array): { demuxer: string; title: string } | undefined {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 16))
  return known.find((one) => head.length > 2 && one.is(head))
}

export const knownSounds: string = known.map(({ title }) => title).join(', ')
