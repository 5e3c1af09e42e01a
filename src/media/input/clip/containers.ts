// What kind of video file this is, by its first bytes. ffmpeg is told and never left to guess: among what it would try are playlists, which name other files.

interface Container {
  /** ffmpeg's name for who reads it. */
  demuxer: string
  /** For people. */
  title: string
  is(head: Buffer): boolean
}

const at = (offset: number, ...magics: string[]) => {
  return (head: Buffer) => magics.some((magic) => head.toString('latin1', offset, offset + magic.length) === magic)
}

const known: readonly Container[] = [
  { demuxer: 'mov', title: 'MP4 or QuickTime', is: at(4, 'ftyp', 'moov', 'mdat', 'wide', 'free', 'skip') },
  { demuxer: 'matroska', title: 'WebM or Matroska', is: at(0, '\x1aE\xdf\xa3') },
  { demuxer: 'avi', title: 'AVI', is: (head) => at(0, 'RIFF')(head) && at(8, 'AVI ')(head) },
  { demuxer: 'gif', title: 'GIF', is: at(0, 'GIF87a', 'GIF89a') },
  { demuxer: 'flv', title: 'FLV', is: at(0, 'FLV\x01') },
  { demuxer: 'ogg', title: 'Ogg', is: at(0, 'OggS') },
  { demuxer: 'mpeg', title: 'MPEG', is: at(0, '\x00\x00\x01\xba') },
  // Packets of 188 bytes, each beginning with the same one.
  { demuxer: 'mpegts', title: 'MPEG-TS', is: (head) => head.length > 376 && [0, 188, 376].every((i) => head[i] === 0x47) },
]

/** undefined: none that is read here. */
export function containerOf(bytes: Uint8Array): { demuxer: string; title: string } | undefined {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 512))
  return known.find((one) => one.is(head))
}

export const knownContainers: string = known.map(({ title }) => title).join(', ')
