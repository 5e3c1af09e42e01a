// Clips in chats as clients see them, over a server with the mock engine: its answers follow from what it was shown.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { clipOf, dataUrl, hasFfmpeg } from '../helpers/clips.ts'
import { pngOf } from '../helpers/pictures.ts'
import { eventually, type Started, start } from '../helpers/processes/start.ts'
import { model, startVisionFleet } from '../helpers/processes/vision-fleet.ts'
import { visionFixture } from '../helpers/vision-fixtures.ts'

setDefaultTimeout(60_000)

interface Answer {
  status: number
  text: string
  tokens: number
  error: { code: string; param: string; message: string }
}

async function chat(url: string, parts: unknown[], more: object = {}): Promise<Answer> {
  const content = [{ type: 'text', text: 'What happens?' }, ...parts]
  const body = JSON.stringify({ model: 'tiny', messages: [{ role: 'user', content }], max_tokens: 12, temperature: 0, ...more })
  const response = await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
  const answer = (await response.json()) as {
    choices?: { message: { content: string } }[]
    usage?: { prompt_tokens: number }
    error: Answer['error']
  }
  return {
    status: response.status,
    text: answer.choices?.[0]?.message.content ?? '',
    tokens: answer.usage?.prompt_tokens ?? 0,
    error: answer.error,
  }
}

const clip = (bytes: Uint8Array, more: object = {}) => ({ type: 'video_url', video_url: { url: dataUrl(bytes), ...more } })
const refusal = ({ status, error }: Answer) => ({ status, ...error })

describe.skipIf(!hasFfmpeg())('clips', () => {
  let server: Started
  let blind: Started
  const [a, b] = hasFfmpeg() ? [clipOf({ secs: 2 }), clipOf({ secs: 2, source: 'testsrc2' })] : [new Uint8Array(), new Uint8Array()]
  beforeAll(async () => {
    const args = ['--model-path', await visionFixture('tiny-vl3'), '--served-model-name', 'tiny', '--enable-multimodal']
    ;[server, blind] = await Promise.all([start({ args }), start({ args: [...args, '--ffmpeg', 'none'] })])
  })
  afterAll(() => Promise.all([server?.stop(), blind?.stop()]))

  test('the answer follows from the clip', async () => {
    const [one, other, again] = await Promise.all([chat(server.url, [clip(a)]), chat(server.url, [clip(b)]), chat(server.url, [clip(a)])])
    expect([one.status, other.status]).toEqual([200, 200])
    expect(again.text).toBe(one.text)
    expect(other.text).not.toBe(one.text)
    expect(other.tokens).toBe(one.tokens)
  })

  test('more frames, more tokens: as the part says, or the request', async () => {
    const usual = await chat(server.url, [clip(a)])
    const more = await chat(server.url, [clip(a, { fps: 4 })])
    expect(more.tokens).toBeGreaterThan(usual.tokens)
    expect(await chat(server.url, [clip(a)], { media_io_kwargs: { video: { num_frames: 8 } } })).toMatchObject({ tokens: more.tokens })
  })

  test('a clip as its frames, among pictures', async () => {
    const frames = (await Promise.all([1, 2, 3, 4].map((seed) => pngOf(112, 84, seed)))).map((file) => dataUrl(file, 'image/png'))
    const picture = { type: 'image_url', image_url: { url: frames[0]! } }
    const whole = await chat(server.url, [{ type: 'video', video: frames, fps: 2 }, picture])
    expect(whole.status).toBe(200)
    const turned = await chat(server.url, [{ type: 'video', video: frames.toReversed(), fps: 2 }, picture])
    expect(turned.tokens).toBe(whole.tokens)
    expect(turned.text).not.toBe(whole.text)
  })

  test('what cannot be read is a 400 that names the part, before any engine work', async () => {
    const param = 'messages[0].content[1].video_url.url'
    expect(refusal(await chat(server.url, [clip(a.subarray(0, 900))]))).toMatchObject({ status: 400, code: 'invalid_image', param })
    expect(refusal(await chat(server.url, [clip(new TextEncoder().encode('#EXTM3U\nfile:///etc/passwd'))]))).toMatchObject({
      status: 400,
      message: expect.stringContaining('is no video file'),
    })
    const inside = { type: 'video_url', video_url: { url: 'http://127.0.0.1:1/a.mp4' } }
    expect(refusal(await chat(server.url, [inside]))).toMatchObject({ status: 400, code: 'invalid_value', param })
    expect(refusal(await chat(server.url, [clip(a, { num_frames: 900 })]))).toMatchObject({ status: 400, code: 'invalid_value', param })
    expect(refusal(await chat(server.url, [clip(a, { fps: 0 })]))).toMatchObject({ status: 400 })
  })

  test('sounds are refused; without ffmpeg clips are too, with what to do', async () => {
    const sound = { type: 'audio_url', audio_url: { url: 'https://example.com/a.wav' } }
    expect(refusal(await chat(server.url, [sound]))).toMatchObject({
      status: 400,
      code: 'unsupported_parameter',
      param: 'messages[0].content[1]',
    })
    expect(refusal(await chat(blind.url, [clip(a)]))).toMatchObject({
      status: 400,
      code: 'unsupported_parameter',
      message: expect.stringContaining('it has no ffmpeg. Install one (the package ffmpeg), or name it with --ffmpeg'),
    })
  })

  test('encoded by workers of their own, prefill and decode together or apart: the same answers', async () => {
    const whole = await start({ args: ['--model-path', model, '--served-model-name', 'tiny', '--enable-multimodal'] })
    const fleets = [startVisionFleet(), startVisionFleet()] as const
    try {
      const picture = { type: 'image_url', image_url: { url: dataUrl(await pngOf(112, 84), 'image/png') } }
      const parts = [clip(a), picture, clip(b, { num_frames: 6 })]
      const expected = await chat(whole.url, parts)
      expect(expected.status).toBe(200)
      const named = ['--served-model-name', 'tiny']
      const fronts = await Promise.all([
        Promise.all([fleets[0].frontend(), fleets[0].language(named), fleets[0].encoder()]),
        Promise.all([
          fleets[1].frontend(),
          fleets[1].language([...named, '--disaggregation-mode', 'prefill']),
          fleets[1].language([...named, '--disaggregation-mode', 'decode']),
          fleets[1].encoder(['--disaggregation-mode', 'encode']),
        ]),
      ])
      for (const [front, language] of fronts) {
        await eventually('the encoder was found', async () => (await language.metric('dynamo_component_vision_encoder_ready')) === 1)
        await eventually('it answers', async () => (await chat(front.url, [picture])).status === 200)
        expect(await chat(front.url, parts)).toEqual(expected)
        expect(await language.metric('dynamo_component_embedding_cache_misses_total')).toBe(3)
      }
    } finally {
      await Promise.all([whole.stop(), ...fleets.map((fleet) => fleet.stop())])
    }
  }, 180_000)
})
