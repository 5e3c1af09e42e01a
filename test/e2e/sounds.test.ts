// Sounds in chats as clients see them, over a server with the mock engine: its answers follow from what it was given.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { writeFamily } from '../../models/vision/families.ts'
import { need } from '../helpers/need.ts'
import { programPath, startNats } from '../helpers/processes/broker.ts'
import { startFleet } from '../helpers/processes/fleet.ts'
import { eventually, productCommand, type Started, start } from '../helpers/processes/start.ts'
import { sound } from '../helpers/seeing-chats.ts'
import { toneOf } from '../helpers/sounds.ts'

setDefaultTimeout(60_000)

let server: Started
beforeAll(async () => {
  server = await start({
    args: ['--model-path', writeFamily('qwen2Audio'), '--served-model-name', 'tiny', '--enable-multimodal', '--ffmpeg', 'none'],
  })
})
afterAll(() => server?.stop())

interface Answer {
  status: number
  text?: string | undefined
  tokens?: number | undefined
  /** Of `tokens`. */
  audio?: number | undefined
  error?: object
}

const chat = (...parts: unknown[]): Promise<Answer> => chatAt(server.url, ...parts)

async function chatAt(url: string, ...parts: unknown[]): Promise<Answer> {
  const content = [{ type: 'text', text: 'What is this?' }, ...parts]
  const body = JSON.stringify({ model: 'tiny', messages: [{ role: 'user', content }], max_tokens: 12, temperature: 0 })
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  })
  const { choices, usage, error } = (await response.json()) as {
    choices?: { message: { content: string } }[]
    usage?: { prompt_tokens: number; prompt_tokens_details: { audio_tokens?: number } }
    error?: object
  }
  const audio = usage?.prompt_tokens_details.audio_tokens
  return { status: response.status, text: choices?.[0]?.message.content, tokens: usage?.prompt_tokens, audio, ...(error && { error }) }
}

test('the answer follows from the sound, its tokens from its length', async () => {
  const [one, other, again, long] = await Promise.all(
    [toneOf(1, 440), toneOf(1, 900), toneOf(1, 440), toneOf(2, 440)].map((file) => chat(sound(file))),
  )
  expect(one!.status).toBe(200)
  expect(again).toEqual(one!)
  expect(other!.text).not.toBe(one!.text)
  expect(other!.tokens).toBe(one!.tokens)
  expect(long!.tokens! - one!.tokens!).toBe(25)
  expect([one!.audio, long!.audio, (await chat(sound(toneOf(1, 440)), sound(toneOf(2, 440)))).audio, (await chat()).audio]).toEqual([
    25,
    50,
    75,
    undefined,
  ])
})

test('a stream tells the same counts', async () => {
  const content = [{ type: 'text', text: 'What is this?' }, sound(toneOf(1, 440))]
  const body = {
    model: 'tiny',
    messages: [{ role: 'user', content }],
    max_tokens: 4,
    stream: true,
    stream_options: { include_usage: true },
  }
  const headers = { 'content-type': 'application/json' }
  const events = await (await fetch(`${server.url}/v1/chat/completions`, { method: 'POST', headers, body: JSON.stringify(body) })).text()
  expect(events).toContain('"audio_tokens":25')
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
  expect(await chat(sound(new Uint8Array()))).toMatchObject({ status: 400, error: { param } })
  // Its head says more than there is: a decoder may judge it, and there is none here.
  expect(await chat(sound(toneOf(1, 440).subarray(0, 9000)))).toMatchObject(error('unsupported_parameter', 'it has no ffmpeg'))
  const png = Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0])
  expect(await chat(sound(png))).toMatchObject(error('invalid_image', 'is a PNG picture; read are WAV'))
  for (const data of ['', '!!!', Buffer.from('<html>').toString('base64')])
    expect(await chat({ type: 'input_audio', input_audio: { data, format: 'wav' } })).toMatchObject({
      status: 400,
      error: { param: 'messages[0].content[1].input_audio.data' },
    })
  for (const url of ['https://127.0.0.1/a.wav', 'https://169.254.169.254/a.wav', 'https://[::1]/a.wav', 'file:///etc/passwd'])
    expect(await chat({ type: 'audio_url', audio_url: { url } })).toMatchObject({ status: 400, error: { code: 'invalid_value', param } })
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

describe.each([
  ['TCP', undefined],
  ['NATS', startNats],
] as const)('a fleet over %s', (name, broker) => {
  const there = broker === undefined || need('nats-server', programPath('nats-server') !== undefined)
  test.skipIf(!there)(`answers as one process does (${name})`, async () => {
    const nats = await broker?.()
    const planes = { DYN_DISCOVERY_BACKEND: 'nats', DYN_REQUEST_PLANE: 'nats', DYN_EVENT_PLANE: 'nats' }
    const fleet = startFleet(nats && { ...planes, NATS_SERVER: `nats://127.0.0.1:${nats.port}` })
    try {
      const worker = ['--model-path', writeFamily('qwen2Audio'), '--served-model-name', 'tiny', '--enable-multimodal']
      const [{ url }] = await Promise.all([fleet.frontend(['--router-mode', 'kv']), fleet.worker(worker)])
      await eventually('the model is served', async () => (await fetch(`${url}/ready`)).ok)
      const [a, long] = [toneOf(1, 440), toneOf(29.9, 500)]
      for (const parts of [[sound(a)], [sound(a), sound(long)]]) expect(await chatAt(url, ...parts)).toEqual(await chat(...parts))
      expect(await chatAt(url, sound(toneOf(31, 440)))).toMatchObject({ status: 400 })
      const found = await (await fetch(`${url}/v1/models`)).json()
      expect(found).toMatchObject({ data: [{ id: 'tiny' }] })
    } finally {
      await fleet.stop()
      await nats?.stop()
    }
  })
})

test('prefill and decode apart: the answers of one process', async () => {
  const fleet = startFleet()
  try {
    const worker = ['--model-path', writeFamily('qwen2Audio'), '--served-model-name', 'tiny', '--enable-multimodal']
    const half = (mode: string) => fleet.worker([...worker, '--disaggregation-mode', mode])
    const [{ url }] = await Promise.all([fleet.frontend(), half('prefill'), half('decode')])
    await eventually('both halves are there', async () => (await chatAt(url)).status === 200)
    const parts = [sound(toneOf(1, 440)), sound(toneOf(2, 440))]
    expect(await chatAt(url, ...parts)).toEqual(await chat(...parts))
  } finally {
    await fleet.stop()
  }
})

test.each([
  ['serve', '--dedicated-mm-encoder'],
  ['worker', '--multimodal-encode-worker'],
  ['worker', '--multimodal-worker'],
  ['worker', '--disaggregation-mode encode'],
  ['worker', '--dedicated-mm-encoder --disaggregation-mode prefill'],
])('%s %s: a start is refused, since no encoder takes sounds apart', async (command, flags) => {
  const args = [command, ...flags.split(' '), '--engine', 'mock', '--model-path', writeFamily('qwen2Audio')]
  const program = Bun.spawn([...productCommand(), ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
  expect(await program.stderr.text()).toContain('hears sounds and sees no pictures, and no encoder takes sounds apart')
  expect(await program.exited).not.toBe(0)
})
