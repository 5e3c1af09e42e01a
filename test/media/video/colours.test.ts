import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { rgbToYuv420 } from '../../../kernels/rgb-to-yuv420/kernel.ts'
import { startClip } from '../../../src/media/video/clip.ts'
import { encoders } from '../../../src/media/video/encoders.ts'
import { probeEncoders } from '../../../src/media/video/probe.ts'
import { yuv420ToRgb } from '../../../src/media/video/yuv-to-rgb.ts'
import { need } from '../../helpers/need.ts'
import { chart, decodeByFfmpeg, hasFfmpeg, probe, worstError } from '../chart.ts'
import { boxes } from './mp4-boxes.ts'

setDefaultTimeout(60_000)

/** Of hardware only what is here is tried; the software encoders are asked for by name. */
const { tried } = hasFfmpeg ? await probeEncoders({ all: true }) : { tried: [] }
const works = new Set(tried.filter((one) => one.works).map((one) => one.name))
const usable = encoders.filter(({ name, hardware }) => (hardware ? works.has(name) : need(`${name} in ffmpeg`, works.has(name))))

for (const { name, sides } of usable) {
  describe(name, () => {
    const tall = Math.max(sides[0], chart.height)
    const clip = encodeChart(name, 5, tall)

    test('the colours come back, by the tags of the file and by BT.709', async () => {
      const { bytes } = await clip
      const frame = tall * tall * 3
      for (const decoded of [decodeByFfmpeg(bytes), decodeByFfmpeg(bytes, 'bt709')]) {
        expect(decoded.length).toBe(5 * frame)
        // 8-bit limited range alone costs 2; the rest is the codec's.
        for (const i of [0, 2, 4]) expect(worstError(decoded.subarray(i * frame), tall)).toBeLessThanOrEqual(5)
      }
    })

    test('ffprobe reads the tags, the size and the time', async () => {
      const { bytes } = await clip
      expect(probe(bytes)).toMatchObject({
        pix_fmt: expect.stringMatching(/^(yuv420p|nv12)$/),
        color_range: 'tv',
        color_space: 'bt709',
        color_transfer: 'bt709',
        color_primaries: 'bt709',
        width: tall,
        height: tall,
        r_frame_rate: '16/1',
        nb_read_frames: '5',
        duration: '0.312500',
      })
    })

    test('a player can begin before the file is whole: moov lies before mdat, and colr says nclx 1-1-1', async () => {
      const { bytes } = await clip
      const names = boxes(bytes).map((box) => box.name)
      expect(names[0]).toBe('ftyp')
      expect(names.indexOf('moov')).toBeLessThan(names.indexOf('mdat'))
      const colr = boxes(bytes, ['moov', 'trak', 'mdia', 'minf', 'stbl', 'stsd']).find((box) => box.name === 'colr')!
      expect(Buffer.from(bytes.subarray(colr.from, colr.from + 11)).toString('latin1')).toBe('nclx\0\x01\0\x01\0\x01\0')
    })

    test('the same frames give the same bytes', async () => {
      const again = await encodeChart(name, 5, tall)
      expect(Buffer.from(again.bytes).equals(Buffer.from((await clip).bytes))).toBe(true)
    })

    test('the file tells nothing of the machine or the day', async () => {
      const text = Buffer.from((await clip).bytes).toString('latin1')
      expect(text).not.toMatch(/Lavf\d|\/proc|\/tmp/)
    })
  })
}

test.skipIf(!need('ffmpeg', hasFfmpeg))('frames that are YUV already are passed on', async () => {
  const yuv = await rgbToYuv420(chart.rgb, chart.width, chart.height)
  const clip = startClip({ ...size, fps: 8, frames: 1, pixels: 'yuv420p' })
  await clip.write(yuv)
  const { bytes } = await clip.finish()
  expect(worstError(decodeByFfmpeg(bytes))).toBeLessThanOrEqual(5)
})

test('YUV becomes RGB again within the steps of its range', async () => {
  const yuv = await rgbToYuv420(chart.rgb, chart.width, chart.height)
  expect(worstError(yuv420ToRgb(yuv, chart.width, chart.height))).toBeLessThanOrEqual(2)
})

const size = { width: chart.width, height: chart.height }

/** `side`: the chart lies in the corner of frames that may be larger, for encoders that want that. */
async function encodeChart(encoder: string, frames: number, side: number) {
  const frame = new Uint8Array(side * side * 3)
  for (let y = 0; y < chart.height; y++) frame.set(chart.rgb.subarray(y * chart.width * 3, (y + 1) * chart.width * 3), y * side * 3)
  const clip = startClip({ width: side, height: side, fps: 16, frames, pixels: 'rgb24', encoder })
  for (let i = 0; i < frames; i++) await clip.write(frame)
  return clip.finish()
}
