import { afterAll, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startFfmpeg } from '../../../src/media/video/ffmpeg-process.ts'
import { chooseEncoder, probeEncoders } from '../../../src/media/video/probe.ts'
import { need } from '../../helpers/need.ts'
import { hasFfmpeg } from '../chart.ts'
import { smallestMp4 } from './mp4-boxes.ts'

setDefaultTimeout(60_000)

const folder = mkdtempSync(join(tmpdir(), 'probe-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** A program that has `built` encoders, of which `working` encode; each try is a line in `log`. */
function fakeFfmpeg(built: string[], working: string[]) {
  const path = join(folder, `ffmpeg-${crypto.randomUUID()}`)
  const list = built.map((name) => `echo " V....D ${name}   Some encoder"`).join('\n')
  writeFileSync(
    path,
    `#!/bin/sh
case "$*" in
  -version) echo "ffmpeg version 7.1-fake Copyright"; exit 0;;
  *-encoders) ${list}
    exit 0;;
esac
while [ "$1" != "-c:v" ]; do shift; done
echo "$2" >> ${path}.log
case " ${working.join(' ')} " in *" $2 "*) cat > /dev/null; ${smallestMp4};; *) echo "no device for $2" >&2; exit 1;; esac
`,
    { mode: 0o755 },
  )
  return { path, tries: () => readFileSync(`${path}.log`, 'utf8').trim().split('\n') }
}

test('the order is hardware, SVT-AV1, VP9, x264; the first that encodes a picture is taken', async () => {
  const { path, tries } = fakeFfmpeg(['libx264', 'libvpx-vp9', 'libsvtav1', 'h264_vaapi', 'h264_nvenc', 'mpeg4'], ['libvpx-vp9', 'libx264'])
  const probed = await probeEncoders({ ffmpeg: path })
  expect(probed).toMatchObject({ ffmpeg: path, version: '7.1-fake', chosen: 'libvpx-vp9' })
  expect(tries()).toEqual(['h264_nvenc', 'h264_vaapi', 'libsvtav1', 'libvpx-vp9'])
  expect(probed.tried.find((one) => one.name === 'h264_nvenc')!.reason).toEndWith(
    'exit code 1; its device or driver cannot be used: no device for h264_nvenc',
  )
})

test('each encoder is tried once a process, however many clips there are', async () => {
  const { path, tries } = fakeFfmpeg(['libsvtav1', 'libx264'], ['libsvtav1', 'libx264'])
  const clip = { width: 640, height: 480, ffmpeg: path }
  const choices = await Promise.all([chooseEncoder(clip), chooseEncoder(clip), chooseEncoder(clip)])
  for (const choice of choices) expect(choice.encoder?.name).toBe('libsvtav1')
  expect(tries()).toEqual(['libsvtav1'])
})

test('a picture too small for an encoder goes to the next that takes it', async () => {
  const { path } = fakeFfmpeg(['h264_nvenc', 'libsvtav1', 'libx264'], ['h264_nvenc', 'libsvtav1', 'libx264'])
  const pick = async (width: number, height: number) => (await chooseEncoder({ width, height, ffmpeg: path })).encoder?.name
  expect(await pick(1280, 720)).toBe('h264_nvenc')
  expect(await pick(128, 96)).toBe('libsvtav1')
  expect(await pick(63, 63)).toBe('libsvtav1')
  expect(await pick(62, 640)).toBe('libx264')
})

test('hardware works: it is the first choice, and `all` tries the rest too', async () => {
  const { path } = fakeFfmpeg(['h264_nvenc', 'libx264'], ['h264_nvenc', 'libx264'])
  const probed = await probeEncoders({ ffmpeg: path, all: true })
  expect(probed.chosen).toBe('h264_nvenc')
  expect(probed.tried.filter((one) => one.works).map((one) => one.name)).toEqual(['h264_nvenc', 'libx264'])
})

test('an ffmpeg without any working encoder, none at all, and one that does not run are told apart', async () => {
  expect(await probeEncoders({ ffmpeg: fakeFfmpeg(['libx264'], []).path })).toMatchObject({
    reason: 'ffmpeg 7.1-fake has no video encoder that works here',
  })
  expect(await probeEncoders({ ffmpeg: null })).toEqual({ ffmpeg: null, tried: [], reason: 'ffmpeg is switched off' })
  expect(await probeEncoders({ ffmpeg: '/nowhere/ffmpeg' })).toMatchObject({ ffmpeg: null, reason: 'no /nowhere/ffmpeg was found' })
  expect(await probeEncoders({ ffmpeg: 'false' })).toMatchObject({ ffmpeg: null, reason: 'false does not run: exit code 1' })
})

test('an encoder asked for that does not work stops the start, by its flag', async () => {
  const { path } = fakeFfmpeg(['h264_nvenc', 'libx264'], ['libx264'])
  await expect(probeEncoders({ ffmpeg: path, encoder: 'h264_nvenc' })).rejects.toMatchObject({
    code: 'invalid_setting',
    param: '--video-encoder',
    message: expect.stringContaining('no device for h264_nvenc'),
  })
  await expect(probeEncoders({ ffmpeg: path, encoder: 'libfoo' })).rejects.toMatchObject({
    message: expect.stringContaining('not one of av1_nvenc, h264_nvenc'),
  })
  await expect(probeEncoders({ ffmpeg: null, encoder: 'libx264' })).rejects.toMatchObject({ code: 'invalid_setting' })
  expect(await probeEncoders({ ffmpeg: path, encoder: 'libx264' })).toMatchObject({ chosen: 'libx264' })
})

test('an encoder whose file is no MP4 does not work; clients are not told what ffmpeg said', async () => {
  const path = join(folder, 'ffmpeg-garbage')
  const text = `case "$*" in
  -version) echo "ffmpeg version 7.1-fake";;
  *-encoders) echo " V....D libx264   H.264"; echo " V....D libsvtav1   AV1";;
  *libx264*) cat > /proc/self/fd/3;;
  *) echo "cannot find /home/me/secret" >&2; exit 1;;
esac`
  writeFileSync(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 })
  const probed = await probeEncoders({ ffmpeg: path })
  expect(probed.tried.find((one) => one.name === 'libsvtav1')!.reason).toContain('/home/me/secret')
  expect(probed.tried.find((one) => one.name === 'libx264')!.reason).toContain('no whole MP4')
  const choice = await chooseEncoder({ width: 640, height: 480, ffmpeg: path, encoder: 'libsvtav1' })
  expect(choice).toEqual({ encoder: undefined, reason: 'The video encoder libsvtav1 failed: it ended with exit code 1' })
})

test('a child that hangs after the last frame, or that reads nothing, is ended', async () => {
  const hang = (script: string) => startFfmpeg({ program: '/bin/sh', encoder: 'slow', arguments: () => ['-c', script], stallMs: 200 })
  const deaf = hang('exec sleep 1000')
  await expect(deaf.write(new Uint8Array(2_000_000))).rejects.toMatchObject({ message: 'The video encoder slow hangs.' })
  deaf.abort()
  const endless = hang('cat > /dev/null; sleep 1000')
  await endless.write(new Uint8Array(2_000_000))
  await expect(endless.finish()).rejects.toMatchObject({ code: 'encoding_failed', message: 'The video encoder slow hangs.' })
})

test.skipIf(!need('ffmpeg', hasFfmpeg))("this machine's ffmpeg has an encoder that works", async () => {
  expect((await probeEncoders()).chosen).toBeString()
})
