import { afterAll, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startClip } from '../../../src/media/video/clip.ts'
import type { ClipOptions } from '../../../src/media/video/clip-encoder.ts'
import { probeEncoders } from '../../../src/media/video/probe.ts'
import { need } from '../../helpers/need.ts'
import { decodeByFfmpeg, hasFfmpeg, probe } from '../chart.ts'
import { smallestMp4 } from './mp4-boxes.ts'

setDefaultTimeout(60_000)

const system = process.env.TMPDIR
const folder = mkdtempSync(join(tmpdir(), 'clips-'))
process.env.TMPDIR = folder
afterAll(() => {
  setTemp(system)
  // What a test left behind on purpose.
  for (const name of readdirSync(folder)) if (name.endsWith('.pid')) process.kill(Number(readFileSync(join(folder, name), 'utf8')))
  rmSync(folder, { recursive: true })
})

function setTemp(path: string | undefined): void {
  if (path === undefined) delete process.env.TMPDIR
  else process.env.TMPDIR = path
}

const grey = (width: number, height: number) => new Uint8Array(width * height * 3).fill(128)
const shape: ClipOptions = { width: 320, height: 240, fps: 16, frames: 4, pixels: 'rgb24' }
const frame = grey(320, 240)
/** More than what lies between us and a child: a socket's buffers, about 400 kB. */
const large = { ...shape, width: 1280, height: 720 }
const largeFrame = grey(1280, 720)
const leftFiles = () => readdirSync(folder).filter((name) => name.startsWith('dynamo-sglang-clip'))

async function encode(options: ClipOptions) {
  const clip = startClip(options)
  for (let i = 0; i < options.frames; i++) await clip.write(grey(options.width, options.height))
  return clip.finish()
}

/** A program that passes the probe as ffmpeg with libx264, and then, for a real clip, does what `script` says. Its output file is descriptor 3. */
function fakeFfmpeg(script: string): string {
  const path = join(folder, `ffmpeg-${crypto.randomUUID()}`)
  const text = `#!/bin/sh
case "$*" in
  -version) echo "ffmpeg version 0-fake"; exit 0;;
  *-encoders) echo " V..... libx264 H.264"; exit 0;;
  *256x256*) cat > /dev/null; ${smallestMp4}; exit 0;;
esac
${script}
`
  writeFileSync(path, text, { mode: 0o755 })
  return path
}

// width, height, of the file
const sizes: [number, number, number, number][] = [
  [1, 1, 2, 2],
  [2, 1, 2, 2],
  [17, 16, 18, 16],
  [63, 65, 64, 66],
  [321, 239, 322, 240],
]
for (const [width, height, wide, high] of sizes) {
  test.skipIf(!need('ffmpeg', hasFfmpeg))(`${width}x${height} grows to ${wide}x${high}, and says so`, async () => {
    const made = await encode({ ...shape, width, height, frames: 2 })
    expect(made).toMatchObject({ width: wide, height: high, frames: 2, note: expect.stringContaining(`the file is ${wide}x${high}`) })
    expect(probe(made.bytes)).toMatchObject({ width: wide, height: high, nb_read_frames: '2' })
  })
}

test.skipIf(!need('ffmpeg', hasFfmpeg))('an odd size repeats its last column and row', async () => {
  const rgb = new Uint8Array(65 * 65 * 3)
  for (let i = 0; i < 65 * 65; i++) rgb.fill(i % 65 === 64 || i >= 64 * 65 ? 200 : 60, 3 * i, 3 * i + 3)
  const clip = startClip({ ...shape, width: 65, height: 65, frames: 1, encoder: 'libx264' })
  await clip.write(rgb)
  const decoded = decodeByFfmpeg((await clip.finish()).bytes)
  for (const at of [65 * 66 + 65, 30 * 66 + 65, 65 * 66 + 30]) expect(Math.abs(decoded[3 * at]! - 200)).toBeLessThan(20)
})

test.skipIf(!need('ffmpeg', hasFfmpeg))('a clip of one frame is a file of one frame', async () => {
  const made = await encode({ ...shape, frames: 1 })
  expect(made).toMatchObject({ contentType: 'video/mp4', extension: 'mp4', frames: 1 })
  expect(probe(made.bytes)).toMatchObject({ nb_read_frames: '1' })
})

test.skipIf(!need('ffmpeg', hasFfmpeg))('a broken number of frames a second stays what it is', async () => {
  const made = await encode({ ...shape, fps: 23.976, frames: 3 })
  expect(probe(made.bytes).r_frame_rate).toBe('2997/125')
})

test.skipIf(!need('ffmpeg', hasFfmpeg))('nothing lies in the folder while a clip is made, and nothing after it was given up', async () => {
  const clip = startClip(shape)
  await clip.write(frame)
  expect(leftFiles()).toEqual([])
  clip.abort()
  await expect(clip.finish()).rejects.toMatchObject({ code: 'client_closed_request' })
  expect(leftFiles()).toEqual([])
})

test('abort ends the encoder, also one that reads nothing, and whoever waits for it', async () => {
  const pidFile = join(folder, 'pid')
  const clip = startClip({ ...large, ffmpeg: fakeFfmpeg(`echo $$ > ${pidFile}; exec sleep 1000`) })
  const waiting = Promise.allSettled([clip.write(largeFrame), clip.write(largeFrame)])
  await until(async () => (await Bun.file(pidFile).exists()) && (await Bun.file(pidFile).text()) !== '')
  clip.abort()
  clip.abort()
  for (const one of await waiting) expect(one).toMatchObject({ status: 'rejected', reason: { code: 'client_closed_request' } })
  await expect(clip.write(largeFrame)).rejects.toMatchObject({ code: 'client_closed_request' })
  const pid = (await Bun.file(pidFile).text()).trim()
  await until(async () => !(await Bun.file(`/proc/${pid}/stat`).exists()) || /\) Z /.test(await Bun.file(`/proc/${pid}/stat`).text()))
  expect(clip.inFlight()).toBe(0)
})

test('abort before the first frame starts nothing', async () => {
  const clip = startClip({ ...shape, ffmpeg: fakeFfmpeg(`touch ${folder}/started`) })
  clip.abort()
  await expect(clip.write(frame)).rejects.toMatchObject({ code: 'client_closed_request' })
  expect(await Bun.file(`${folder}/started`).exists()).toBe(false)
})

test('memory is bounded: frames wait with the caller while the encoder reads none', async () => {
  const bytes = 1280 * 720 * 1.5
  const clip = startClip({ ...large, frames: 50, ffmpeg: fakeFfmpeg(`head -c ${3 * bytes} > /dev/null; exec sleep 1000`) })
  let taken = 0
  const feeding = (async () => {
    for (let i = 0; i < 50; i++) {
      await clip.write(largeFrame)
      taken++
    }
  })().catch(() => {})
  await until(async () => taken >= 3)
  await Bun.sleep(300)
  // Three were read; the buffers on the way hold less than one more.
  expect(taken).toBe(3)
  expect(clip.inFlight()).toBe(largeFrame.length)
  clip.abort()
  await feeding
  expect(clip.inFlight()).toBe(0)
})

const faults: [what: string, script: string, code: string, message: RegExp, cause: RegExp][] = [
  [
    'a crash in the middle',
    'head -c 1000 > /dev/null; echo "[x @ 0x1] out of registers" >&2; echo "Conversion failed!" >&2; exit 3',
    'encoding_failed',
    /^The video encoder libx264 failed: it ended with exit code 3\.$/,
    /out of registers\nConversion failed!/,
  ],
  ['a signal', 'kill -9 $$', 'encoding_failed', /was ended by SIGKILL/, /./],
  ['success without a file', 'cat > /dev/null', 'encoding_failed', /wrote nothing/, /./],
  ['a full disk', 'cat > /dev/full', 'storage_failed', /No space is left/, /No space left on device/],
  [
    'a full disk after which the encoder never ends',
    `trap '' TERM; echo "Error writing trailer of x: No space left on device" >&2; while :; do sleep 1; done`,
    'storage_failed',
    /No space is left/,
    /Error writing trailer of x: No space left on device/,
  ],
  [
    'a full disk that the encoder calls a success',
    `cat > /dev/null; ${smallestMp4}; echo "Error writing trailer of x: No space left on device" >&2`,
    'storage_failed',
    /No space is left/,
    /Error writing trailer/,
  ],
  [
    'an encoder that never ends after it failed',
    `cat > /dev/null; trap '' TERM; echo "Conversion failed!" >&2; while :; do sleep 1; done`,
    'encoding_failed',
    /^The video encoder libx264 failed: it did not end after it failed\.$/,
    /Conversion failed!/,
  ],
  [
    'a child that left something behind which holds its stderr',
    'sleep 1000 & echo $! > "$0.pid"; exit 3',
    'encoding_failed',
    /exit code 3/,
    /./,
  ],
  ['no memory', 'echo "x: Cannot allocate memory" >&2; exit 1', 'encoding_failed', /exit code 1; it is out of memory\.$/, /allocate/],
  ['garbage', 'cat > /proc/self/fd/3', 'encoding_failed', /made a file that is no whole MP4\.$/, /does not begin with ftyp/],
]
for (const [what, script, code, message, cause] of faults) {
  test(`${what}: ${code}`, async () => {
    const thrown = await encode({ ...shape, ffmpeg: fakeFfmpeg(script) }).catch((error) => error)
    expect(thrown).toMatchObject({ code })
    expect(thrown.message).toMatch(message)
    expect(thrown.cause.message).toMatch(cause)
    expect(leftFiles()).toEqual([])
  })
}

test('no folder for temporary files: storage_failed', async () => {
  const ffmpeg = fakeFfmpeg('cat >&3')
  expect((await probeEncoders({ ffmpeg })).chosen).toBe('libx264')
  setTemp(join(folder, 'none'))
  try {
    await expect(encode({ ...shape, ffmpeg })).rejects.toMatchObject({ code: 'storage_failed' })
  } finally {
    setTemp(folder)
  }
})

test.skipIf(!need('ffmpeg', hasFfmpeg))('no more room under the real ffmpeg: storage_failed', async () => {
  const path = join(folder, 'ffmpeg-in-16-blocks')
  // A limit of the file's size fails like a full disk, and needs no disk to fill.
  writeFileSync(path, `#!/bin/sh\ntrap '' XFSZ\nulimit -f 16\nexec ffmpeg "$@"\n`, { mode: 0o755 })
  const noise = crypto.getRandomValues(new Uint8Array(65536))
  const clip = startClip({ ...shape, frames: 30, encoder: 'libx264', ffmpeg: path })
  const feeding = (async () => {
    for (let i = 0; i < 30; i++) await clip.write(Uint8Array.from(frame, (_, at) => noise[(at * 7919 + i) & 65535]!))
    return clip.finish()
  })()
  await expect(feeding).rejects.toMatchObject({
    code: 'storage_failed',
    message: 'No space is left for the video file while it is written.',
    cause: { message: expect.stringContaining('File too large') },
  })
})

test.skipIf(!need('ffmpeg', hasFfmpeg))('a server that is killed leaves no file and no encoder', async () => {
  const script = `
    import { startClip } from '${join(import.meta.dir, '../../../src/media/video/clip.ts')}'
    const clip = startClip({ width: 320, height: 240, fps: 17.123, frames: 90, pixels: 'rgb24' })
    await clip.write(new Uint8Array(320 * 240 * 3))
    console.log('written')
    setInterval(() => {}, 1000)`
  const server = Bun.spawn([process.execPath, '-e', script], { stdout: 'pipe', stderr: 'inherit' })
  for await (const chunk of server.stdout) if (chunk.length > 0) break
  expect(encodersWith('17.123').length).toBe(1)
  server.kill('SIGKILL')
  await server.exited
  await until(async () => encodersWith('17.123').length === 0)
  expect(leftFiles()).toEqual([])
})

test.skipIf(!need('ffmpeg', hasFfmpeg))('an encoder asked for by name is used or refused, never replaced', async () => {
  expect((await encode({ ...shape, encoder: 'libx264' })).encoder).toBe('libx264')
  await expect(encode({ ...shape, encoder: 'libfoo' })).rejects.toMatchObject({
    code: 'encoding_failed',
    message: 'The video encoder libfoo cannot be used: it is not one that we know.',
  })
  await expect(encode({ ...shape, width: 32, height: 32, encoder: 'libsvtav1' })).rejects.toMatchObject({
    message: expect.stringContaining('its pictures have sides of 64 to 8192 pixels'),
  })
})

test('a frame of another size, missing frames and none at all are failures', async () => {
  const clip = startClip({ ...shape, ffmpeg: null })
  await expect(clip.write(new Uint8Array(5))).rejects.toMatchObject({ code: 'encoding_failed' })
  await expect(startClip({ ...shape, ffmpeg: null }).finish()).rejects.toMatchObject({
    code: 'encoding_failed',
    message: 'The clip has 0 frames, 4 were expected.',
  })
  const short = startClip({ ...shape, ffmpeg: null })
  await short.write(frame)
  await expect(short.finish()).rejects.toMatchObject({ message: 'The clip has 1 frames, 4 were expected.' })
})

function encodersWith(argument: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false
    const read = Bun.spawnSync(['cat', `/proc/${pid}/cmdline`]).stdout.toString()
    return read.includes('rawvideo') && read.split('\0').includes(argument)
  })
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (await condition()) return
    await Bun.sleep(20)
  }
  throw new Error('it never came to that')
}
