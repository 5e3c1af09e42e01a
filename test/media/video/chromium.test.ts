import { beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { startClip } from '../../../src/media/video/clip.ts'
import { probeEncoders } from '../../../src/media/video/probe.ts'
import { chromium, inChromium } from '../../helpers/chromium.ts'
import { need } from '../../helpers/need.ts'
import { chart, greys, hasFfmpeg, worstError } from '../chart.ts'

setDefaultTimeout(120_000)

const names = ['libsvtav1', 'libvpx-vp9', 'libx264']
const works = new Set(
  (hasFfmpeg ? await probeEncoders({ all: true }) : { tried: [] }).tried.filter((one) => one.works).map((one) => one.name),
)

describe.skipIf(!need('ffmpeg', hasFfmpeg) || !need('chromium', chromium !== null))('Chromium plays what we write, in its colours', () => {
  const files: Record<string, { bytes: Uint8Array; type: string }> = {}
  let seen: Record<string, { width: number; height: number; seconds: number; ended: boolean; pixels: number[] }>

  beforeAll(async () => {
    for (const name of [...names.filter((one) => works.has(one)), 'webp']) {
      const clip = startClip({
        width: chart.width,
        height: chart.height,
        fps: 8,
        frames: 8,
        pixels: 'rgb24',
        ...(name === 'webp' ? { ffmpeg: null } : { encoder: name }),
      })
      for (let i = 0; i < 8; i++) await clip.write(chart.rgb)
      const { bytes, contentType } = await clip.finish()
      files[name] = { bytes, type: contentType }
    }
    seen = (await inChromium(
      `const seen = {}
      const draw = (source, width, height) => {
        const canvas = new OffscreenCanvas(width, height)
        const context = canvas.getContext('2d')
        context.drawImage(source, 0, 0)
        const { data } = context.getImageData(0, 0, width, height)
        return Array.from(data).filter((_, i) => i % 4 < 3)
      }
      for (const name of ${JSON.stringify(Object.keys(files))}) {
        if (name === 'webp') {
          const image = new Image()
          image.src = '/webp'
          await image.decode()
          seen[name] = { width: image.width, height: image.height, pixels: draw(image, image.width, image.height) }
          continue
        }
        const video = document.createElement('video')
        video.muted = true
        video.src = '/' + name
        document.body.append(video)
        await new Promise((ok, no) => { video.onended = ok; video.onerror = () => no(name + ': ' + video.error.message); video.play().catch(no) })
        const { videoWidth: width, videoHeight: height } = video
        seen[name] = { width, height, seconds: video.duration, ended: video.ended, pixels: draw(video, width, height) }
      }
      return seen`,
      files,
    )) as typeof seen
  })

  for (const name of names) {
    test.skipIf(!need(`${name} in ffmpeg`, works.has(name)))(name, () => {
      const { pixels, ...facts } = seen[name]!
      expect(facts).toEqual({ width: chart.width, height: chart.height, seconds: 1, ended: true })
      // Chromium's software path (libyuv) keeps 6 bits of each factor and cuts blue's 2.11 to 2: pure blue comes as 243, greys exact.
      expect(worstError(Uint8Array.from(pixels))).toBeLessThanOrEqual(12)
      expect(worstError(Uint8Array.from(pixels), chart.width, greys)).toBeLessThanOrEqual(3)
    })
  }

  test('animated WebP', () => {
    expect(seen.webp).toMatchObject({ width: chart.width, height: chart.height })
    expect(worstError(Uint8Array.from(seen.webp!.pixels))).toBeLessThanOrEqual(6)
  })
})
