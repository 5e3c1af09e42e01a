import { expect, test } from 'bun:test'
import { mp4Fault } from '../../../src/media/video/mp4-whole.ts'

const box = (name: string, content = 'x', size = 8 + content.length) => {
  const bytes = Buffer.alloc(8 + content.length)
  bytes.writeUInt32BE(size)
  bytes.write(name + content, 4, 'latin1')
  return bytes
}
const [ftyp, moov, mdat] = [box('ftyp', 'isom\0\0\0\0'), box('moov'), box('mdat')]
const long = (size: bigint) => {
  const bytes = Buffer.concat([box('mdat', '', 1), Buffer.alloc(8 + 5)])
  bytes.writeBigUInt64BE(size, 8)
  return bytes
}

const files: [what: string, parts: Buffer[], fault: RegExp | undefined][] = [
  ['moov first', [ftyp, moov, mdat], undefined],
  ['moov last', [ftyp, box('free', ''), mdat, moov], undefined],
  ['a box with a long size', [ftyp, moov, long(21n)], undefined],
  ['a last box that goes on to the end', [ftyp, moov, box('mdat', 'xyz', 0)], undefined],
  ['nothing', [], /no ftyp/],
  ['text', [Buffer.from('<html>not a video</html>')], /does not begin with ftyp/],
  ['no moov: the end was never written', [ftyp, mdat], /no moov/],
  ['no pictures', [ftyp, moov], /no mdat/],
  ['an empty mdat', [ftyp, moov, box('mdat', '')], /no mdat/],
  ['cut off', [ftyp, moov, mdat.subarray(0, -1)], /at byte 25 says that it has 9 bytes, 8 are left/],
  ['cut off in a head', [ftyp, moov, mdat, moov.subarray(0, 5)], /5 bytes follow/],
  ['a size that leads nowhere', [ftyp, box('moov', 'x', 7), mdat], /has 7 bytes/],
  ['a long size beyond the file', [ftyp, moov, long(1n << 60n)], /are left/],
  ['a long size that is too short', [ftyp, moov, long(15n)], /has 15 bytes/],
]
for (const [what, parts, fault] of files) {
  test(what, () => {
    const found = mp4Fault(Buffer.concat(parts))
    if (fault === undefined) expect(found).toBeUndefined()
    else expect(found).toMatch(fault)
  })
}
