// Clips of strangers: what they say of themselves is counted, the frames are those asked for, and files made to do harm are refused in bounded time.
import { describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { type OpenClip, withClip } from '../../../../src/media/input/clip/decode.ts'
import { type ClipLimits, usualClipLimits } from '../../../../src/media/input/clip/limits.ts'
import type { Frame } from '../../../../src/media/input/clip/pixmaps.ts'
import { clipOf, hasFfmpeg, soundOf } from '../../../helpers/clips.ts'

interface Own extends Partial<ClipLimits> {
  maxPixels?: number
  signal?: AbortSignal
}

function open<T>(bytes: Uint8Array, use: (clip: OpenClip) => Promise<T>, { maxPixels = 50e6, signal, ...own }: Own = {}): Promise<T> {
  return withClip(
    bytes,
    { limits: { ...usualClipLimits, ...own }, maxPixels, param: 'clip', signal: signal ?? new AbortController().signal },
    use,
  )
}

const look = (bytes: Uint8Array, positions: readonly number[], own: Own = {}) =>
  open(
    bytes,
    async ({ timeline, frames }) => {
      const all: Frame[] = []
      for await (const frame of frames(positions)) all.push(frame)
      return { timeline, all }
    },
    own,
  )
/** Of a clip of any length. */
const lookAround = (bytes: Uint8Array, own: Own = {}) =>
  open(
    bytes,
    async ({ timeline, frames }) => {
      let count = 0
      for await (const _ of frames([0, timeline.frames - 1])) count++
      return { timeline, count }
    },
    own,
  )
const fault = (work: Promise<unknown>) =>
  work.then(
    (done) => ({ code: 'none', done }),
    (thrown: { code: string; message: string }) => thrown,
  )
const leftovers = () => readdirSync(tmpdir()).filter((name) => name.startsWith('dynamo-sglang-clip-'))

/** Where `name` begins in an MP4. */
const boxAt = (bytes: Uint8Array, name: string): number => Buffer.from(bytes).indexOf(name, 0, 'latin1')

function patched(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = Buffer.from(bytes)
  copy.writeUInt32BE(value >>> 0, at)
  return copy
}

const box = (name: string, ...parts: (string | Uint8Array)[]): Buffer => {
  const body = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part.replaceAll(' ', ''), 'hex') : part)))
  const head = Buffer.alloc(8)
  head.writeUInt32BE(body.length + 8)
  head.write(name, 4, 'latin1')
  return Buffer.concat([head, body])
}
const words = (...values: number[]) =>
  Buffer.from(values.flatMap((value) => [value >>> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255]))
const square = words(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)

/** An MP4 whose tracks claim so many frames of one byte each. */
function claiming(tracks: number, frames: number): Uint8Array {
  const raw = box('raw ', words(0, 1, 0, 0, 0, 0), words(64 * 65537, 0x480000, 0x480000, 0), '0001', new Uint8Array(32), '0018 ffff')
  const sizes = box(
    'stbl',
    box('stsd', words(0, 1), raw),
    box('stts', words(0, 1, frames, 1)),
    box('stsc', words(0, 1, 1, frames, 1)),
    box('stsz', words(0, 1, frames)),
    box('stco', words(0, 1, 40)),
    box('ctts', words(0, 1, frames, 0)),
  )
  const minf = box('minf', box('vmhd', words(1, 0, 0)), box('dinf', box('dref', words(0, 1), box('url ', words(1)))), sizes)
  const track = (id: number) =>
    box(
      'trak',
      box('tkhd', words(7, 0, 0, id, 0, 1000, 0, 0, 0, 0), square, words(64 << 16, 64 << 16)),
      box('mdia', box('mdhd', words(0, 0, 0, 90000, 90000, 0)), box('hdlr', words(0, 0), Buffer.from('vide'), words(0, 0, 0), '00'), minf),
    )
  const movie = box('mvhd', words(0, 0, 0, 1000, 1000, 0x10000, 0x1000000, 0, 0), square, words(0, 0, 0, 0, 0, 0, tracks + 1))
  const all = Array.from({ length: tracks }, (_, i) => track(i + 1))
  return Buffer.concat([
    box('ftyp', Buffer.from('isom\0\0\x02\0isomiso2mp41')),
    box('mdat', new Uint8Array(64)),
    box('moov', movie, ...all),
  ])
}

/** What `work` gives, and the most bytes that one ffmpeg of this process had in memory meanwhile. */
async function watched<T>(work: Promise<T>): Promise<{ done: T; took: number }> {
  let took = 0
  const look = () => {
    for (const name of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        const text = readFileSync(`/proc/${name}/status`, 'latin1')
        if (/^Name:\s+ffmpeg$/m.test(text) && Number(/^PPid:\s+(\d+)/m.exec(text)?.[1]) === process.pid)
          took = Math.max(took, 1024 * Number(/^VmHWM:\s+(\d+)/m.exec(text)?.[1] ?? 0))
      } catch {}
    }
  }
  const timer = setInterval(look, 10)
  try {
    return { done: await work, took }
  } finally {
    clearInterval(timer)
  }
}

describe.skipIf(!hasFfmpeg())('clips', () => {
  for (const ending of ['mp4', 'mov', 'mkv', 'webm', 'avi', 'gif', 'ts'])
    test(`${ending}: frames and rate, counted`, async () => {
      const { timeline, all } = await look(clipOf({ ending, fps: 10, secs: 2 }), [0, 7, 19])
      expect(timeline).toEqual({ frames: 20, fps: 10, secs: 2, width: 112, height: 84 })
      expect(all.map(({ width, height, rgb }) => [width, height, rgb.length])).toEqual(Array(3).fill([112, 84, 3 * 112 * 84]))
    })

  test('the frames that were asked for', async () => {
    // A picture that is as bright as its number: PNG keeps it to the bit.
    const more = ['-vf', "format=gray,geq=lum='8*N'", '-c:v', 'png']
    const clip = clipOf({ ending: 'mov', secs: 2, more: [...more, '-pix_fmt', 'gray'] })
    const { all } = await look(clip, [0, 3, 4, 17, 19])
    expect(all.map(({ rgb }) => rgb[0])).toEqual([0, 24, 32, 136, 152])
  })

  test('a rate that is no whole number', async () => {
    const { timeline } = await look(clipOf({ fps: '24000/1001', secs: 3 }), [0])
    expect(timeline.frames).toBe(72)
    expect(timeline.fps).toBe(72 / 3.003)
  })

  test('a clip that is turned comes upright', async () => {
    const plain = clipOf({ width: 64, height: 48, secs: 1 })
    // The matrix of the track's head: a quarter turn.
    const matrix = boxAt(plain, 'tkhd') + 4 + 40
    let turned = plain
    for (const [i, value] of [0, 0x10000, 0, -0x10000, 0].entries()) turned = patched(turned, matrix + 4 * i, value)
    const { all } = await look(turned, [0])
    expect([all[0]!.width, all[0]!.height]).toEqual([48, 64])
  })

  const mp4 = hasFfmpeg() ? clipOf() : new Uint8Array()
  const sound = hasFfmpeg() ? soundOf() : new Uint8Array()
  const fast = hasFfmpeg() ? clipOf({ secs: 4, more: ['-movflags', '+faststart'] }) : new Uint8Array()
  const text = (words: string) => new TextEncoder().encode(words)
  const hostile: [string, () => Promise<unknown>, string, RegExp][] = [
    ['no bytes', () => lookAround(new Uint8Array()), 'invalid_image', /is no video file; read are MP4/],
    ['a text', () => lookAround(text('hello, I am a clip')), 'invalid_image', /is no video file/],
    ['an SVG', () => lookAround(text('<svg xmlns="http://www.w3.org/2000/svg"/>')), 'invalid_image', /is an SVG drawing/],
    ['a playlist', () => lookAround(text('#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n')), 'invalid_image', /is no video file/],
    ['a list of files', () => lookAround(text('ffconcat version 1.0\nfile /etc/passwd\n')), 'invalid_image', /is no video file/],
    [
      'a playlist behind the head of an MP4',
      () => lookAround(text('#EXTftyp\n#EXTM3U\nfile:///etc/passwd\n')),
      'invalid_image',
      /broken or cut-off MP4/,
    ],
    [
      'another container behind its head',
      () => lookAround(Buffer.concat([Buffer.from('GIF89a'), mp4])),
      'invalid_image',
      /broken or cut-off GIF/,
    ],
    ['an MP4 of sound alone', () => lookAround(sound), 'invalid_image', /has no picture track/],
    ['an MP4 without its index', () => lookAround(mp4.subarray(0, mp4.length / 2)), 'invalid_image', /broken or cut-off MP4/],
    [
      'an MP4 that ends early',
      () => lookAround(fast.subarray(0, fast.length * 0.7)),
      'invalid_image',
      /ends early: of the 2 frames to look at, 1/,
    ],
    [
      'noise with an MP4 head',
      () => lookAround(Buffer.concat([mp4.subarray(0, 64), crypto.getRandomValues(new Uint8Array(50_000))])),
      'invalid_image',
      /./,
    ],
    ['more frames than are read', () => lookAround(mp4, { maxFrames: 19 }), 'invalid_image', /claims to have 20 frames; 19 are the most/],
    ['longer than is read', () => lookAround(mp4, { maxSecs: 1 }), 'invalid_image', /longer than 1 seconds/],
    ['frames too large', () => lookAround(mp4, { maxPixels: 9000 }), 'invalid_image', /frames of more than 0.009 megapixels/],
    ['more time than there is', () => lookAround(mp4, { timeoutMs: 1 }), 'invalid_image', /was not read within 0.001 seconds/],
    ['a client that has left', () => lookAround(mp4, { signal: AbortSignal.abort() }), 'client_closed_request', /./],
    ['no ffmpeg', () => lookAround(mp4, { ffmpeg: null }), 'unsupported_parameter', /has no ffmpeg. Install one/],
    ['an ffmpeg that is not there', () => lookAround(mp4, { ffmpeg: 'no-such-ffmpeg' }), 'unsupported_parameter', /has no ffmpeg/],
    ['an ffmpeg that cannot be run', () => lookAround(mp4, { ffmpeg: process.execPath }), 'invalid_image', /./],
    ['frames without a duration', () => lookAround(patched(mp4, boxAt(mp4, 'stts') + 16, 0)), 'invalid_image', /ends early|how fast/],
    ['an index of four thousand million frames', () => lookAround(patched(mp4, boxAt(mp4, 'stts') + 12, 0xffffffff)), 'none', /./],
    [
      'sizes of four thousand million frames',
      () => lookAround(patched(mp4, boxAt(mp4, 'stsz') + 12, 0xffffffff)),
      'invalid_image',
      /claims to have 4294967295 frames; 432000 are the most/,
    ],
    ['no sizes of frames', () => lookAround(patched(mp4, boxAt(mp4, 'stsz') + 8, 0x7fffffff)), 'invalid_image', /has no frames/],
    [
      'a frame rate of almost nothing',
      () => lookAround(patched(mp4, boxAt(mp4, 'mdhd') + 16, 1)),
      'invalid_image',
      /longer than 7200 seconds/,
    ],
  ]
  for (const [name, work, code, message] of hostile)
    test(`${name}: ${code}`, async () => {
      const result = await fault(work())
      expect(result).toMatchObject({ code, ...(code === 'none' ? {} : { message: expect.stringMatching(message) }) })
      expect(leftovers()).toEqual([])
    })

  test('an index that fills memory ends at a bound, whatever the file says its tracks are', async () => {
    const bomb = claiming(5, 20_000_000)
    expect(bomb.length).toBeLessThan(3000)
    expect(await fault(lookAround(bomb))).toMatchObject({
      code: 'invalid_image',
      message: 'The clip at clip claims to have 20000000 frames; 432000 are the most that are read.',
    })
    // Past that look at the index: the kernel gives ffmpeg no more than 512 MB, and a track of that many entries takes more.
    const { done, took } = await watched(fault(lookAround(bomb, { maxFrames: 1e9 })))
    expect(done).toMatchObject({ code: 'invalid_image' })
    expect(took).toBeLessThan(600e6)
  }, 30_000)

  test('colours of ten bits come as eight', async () => {
    const { all } = await look(clipOf({ ending: 'mkv', more: ['-pix_fmt', 'yuv420p10le'] }), [0, 19])
    expect(all.map(({ rgb }) => rgb.length)).toEqual(Array(2).fill(3 * 112 * 84))
  })

  test('a GIF of a million frames is left when there are enough', async () => {
    const head = Buffer.from('474946383961010001008000000000 00ffffff'.replaceAll(' ', ''), 'hex')
    const frame = Buffer.from('21f9040001000000 2c00000000010001000002024401 00'.replaceAll(' ', ''), 'hex')
    const gif = Buffer.concat([head, ...Array<Buffer>(300_000).fill(frame), Buffer.from([0x3b])])
    expect(await fault(lookAround(gif, { maxFrames: 1000 }))).toMatchObject({
      code: 'invalid_image',
      message: 'The clip at clip has more than 1000 frames, the most that are read.',
    })
  })

  test('a clip whose frames change their size is refused, not stretched or counted anew', async () => {
    const two = Buffer.concat([clipOf({ ending: 'ts', secs: 1 }), clipOf({ ending: 'ts', secs: 1, width: 64, height: 48 })])
    const message = 'The clip at clip changes the size of its frames on the way.'
    expect(await fault(lookAround(two))).toMatchObject({ code: 'invalid_image', message })
  })

  test('a reader that leaves ends the child', async () => {
    const clip = clipOf({ secs: 20, fps: 30 })
    const positions = Array.from({ length: 600 }, (_, i) => i)
    await open(clip, async ({ frames }) => {
      for await (const _ of frames(positions)) break
    })
    expect(leftovers()).toEqual([])
  })
})
