// Sounds in chats as clients see them, over a server with the mock engine: its answers follow from what it was given.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { writeFamily } from '../../models/vision/families.ts'
import { dataUrl } from '../helpers/clips.ts'
import { type Started, start } from '../helpers/processes/start.ts'
import { toneOf } from '../helpers/sounds.ts'

setDefaultTimeout(60_000)

let server: Started
beforeAll(async () => {
  server = await start({
    args: ['--model-path', writeFamily('qwen2Audio'), '--served-model-name', 'tiny', '--enable-multimodal', '--ffmpeg', 'none'],
  })
})
afterAll(() => server?.stop())

async function chat(
  ...parts: unknown[]
): Promise<{ status: number; text?: string | undefined; tokens?: number | undefined; error?: object }> {
  const content = [{ type: 'text', text: 'What is this?' }, ...parts]
  const body = JSON.stringify({ model: 'tiny', messages: [{ role: 'user', content }], max_tokens: 12, temperature: 0 })
  const response = await fetch(`${server.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  })
  const { choices, usage, error } = (await response.json()) as {
    choices?: { message: { content: string } }[]
    usage?: { prompt_tokens: number }
    error?: object
  }
  return { status: response.status, text: choices?.[0]?.message.content, tokens: usage?.prompt_tokens, ...(error && { error }) }
}

const sound = (bytes: Uint8Array) => ({ type: 'audio_url', audio_url: { url: dataUrl(bytes, 'audio/wav') } })

test('the answer follows from the sound, its tokens from its length', async () => {
  const [one, other, again, long] = await Promise.all(
    [toneOf(1, 440), toneOf(1, 900), toneOf(1, 440), toneOf(2, 440)].map((file) => chat(sound(file))),
  )
  expect(one!.status).toBe(200)
  expect(again).toEqual(one!)
  expect(other!.text).not.toBe(one!.text)
  expect(other!.tokens).toBe(one!.tokens)
  expect(long!.tokens! - one!.tokens!).toBe(25)
})

test("OpenAI's own part is the same sound", async () => {
  const file = toneOf(1, 440)
  const data = Buffer.from(file).toString('base64')
  expect(await chat({ type: 'input_audio', input_audio: { data, format: 'wav' } })).toEqual(await chat(sound(file)))
})

test('bad ones are a 400 that names the part', async () => {
  const param = 'messages[0].content[1].audio_url.url'
  const error = (code: string, words: string) => ({ status: 400, error: { code, param, message: expect.stringContaining(words) } })
  expect(await chat(sound(toneOf(31, 440)))).toMatchObject(error('invalid_image', 'longer than 30 seconds'))
  expect(await chat(sound(toneOf(0.01, 440)))).toMatchObject(error('invalid_image', 'too short'))
  expect(await chat(sound(new TextEncoder().encode('<html>')))).toMatchObject(error('invalid_image', 'is a web page'))
  expect(await chat(sound(toneOf(1, 440, 44_100)))).toMatchObject(error('unsupported_parameter', 'it has no ffmpeg'))
  expect(await chat({ type: 'audio_url', audio_url: { url: 'http://127.0.0.1:1/a.wav' } })).toMatchObject(
    error('invalid_value', 'only https'),
  )
  expect(await chat({ type: 'image_url', image_url: { url: 'https://example.com/a.png' } })).toMatchObject({
    status: 400,
    error: {
      code: 'unsupported_parameter',
      param: 'messages[0].content[1]',
      message: 'tiny takes no pictures here; send sounds as audio_url parts.',
    },
  })
})
