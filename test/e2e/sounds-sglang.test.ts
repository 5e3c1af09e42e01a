// Sounds on a real SGLang: chats with sounds through our frontend and worker are answered as SGLang's own server answers them, token for token, and the router knows
// what of them is in SGLang's cache.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { writeFamily } from '../../models/vision/families.ts'
import { hasFfmpeg } from '../helpers/clips.ts'
import { need } from '../helpers/need.ts'
import { type Fleet, startFleet } from '../helpers/processes/fleet.ts'
import { type SglangServer, startSglangServer } from '../helpers/processes/sglang-server.ts'
import { type Started, start } from '../helpers/processes/start.ts'
import { until } from '../helpers/run-request.ts'
import { ask, heldBlocks, serveReal, sound, text, user } from '../helpers/seeing-chats.ts'
import { cpuArgs, cpuEnv, sglangPython } from '../helpers/sglang.ts'
import { soundAs, toneOf } from '../helpers/sounds.ts'

setDefaultTimeout(400_000)

const flags = ['--enable-multimodal', '--dtype', 'float32', '--page-size', '16']
const python = sglangPython()
const present = need('SGLang (bun run sglang:setup)', python !== undefined) && hasFfmpeg()
const inline = (file: Uint8Array) => ({ type: 'input_audio', input_audio: { data: Buffer.from(file).toString('base64'), format: 'wav' } })

const [a, b] = [toneOf(1, 440), toneOf(1.53, 700)]
/** As long as another, so that only what is heard tells them apart. */
const c = toneOf(1, 900)
const chats: Record<string, () => unknown[]> = {
  'text alone': () => [{ role: 'user', content: 'Say hello.' }],
  'one sound': () => [user(sound(a), text('What is this?'))],
  'another of the same length': () => [user(sound(c), text('What is this?'))],
  'a sound after the text': () => [user(text('What is this?'), sound(b))],
  'two sounds, each heard before': () => [user(sound(a), text('and'), sound(b), text('differ?'))],
  'sounds in several turns': () => [
    user(sound(a), text('What?')),
    { role: 'assistant', content: 'A dog.' },
    user(text('And this?'), sound(c)),
  ],
  "in OpenAI's own form": () => [user(inline(c), text('What?'))],
  'the shortest there is': () => [user(sound(toneOf(321 / 16_000, 440)), text('What?'))],
  'as long as the model hears': () => [user(sound(toneOf(30, 440)), text('What?'))],
  'MP3 of 44.1 kHz, two channels': () => [user(sound(soundAs(b, '-ar', '44100', '-ac', '2', 'mp3')), text('What?'))],
  'FLAC of 48 kHz': () => [user(sound(soundAs(b, '-ar', '48000', 'flac')), text('What?'))],
  'Ogg of 24 kHz': () => [user(sound(soundAs(b, '-ar', '24000', '-c:a', 'libopus', 'ogg')), text('What?'))],
}

describe.skipIf(!present)('Qwen2-Audio', () => {
  let theirs: SglangServer
  /** Our frontend, and a worker with the engine on level L1. */
  let fleet: Fleet
  let ours: { url: string }
  /** To `theirs`. */
  let attached: Started
  let model: string
  beforeAll(async () => {
    model = writeFamily('qwen2Audio')
    fleet = startFleet(undefined, 300_000)
    const engine = ['--engine', 'sglang', '--python', python!, '--served-model-name', 'tiny', ...cpuArgs(model), ...flags]
    ;[theirs, ours] = await Promise.all([
      startSglangServer(python!, model, [...flags, '--served-model-name', 'tiny']),
      fleet.frontend(['--router-mode', 'kv', '--router-predicted-ttl-secs', '0']),
      fleet.worker(engine, cpuEnv()),
    ])
    await until('the model is served', async () => (await fetch(`${ours.url}/ready`)).ok)
    const front = 'serve --http-host 127.0.0.1 --http-port {port} --served-model-name tiny'.split(' ')
    attached = await start({ command: [...front, '--engine-url', theirs.url] })
  })
  afterAll(() => Promise.all([theirs?.stop(), fleet?.stop(), attached?.stop()]))

  test.each(Object.keys(chats))('%s', async (title) => {
    const messages = chats[title]!()
    const wanted = await ask(theirs.url, messages)
    expect(wanted.status).toBe(200)
    expect(await ask(ours.url, messages)).toEqual(wanted)
  })

  test('KV blocks have the names that the router foresees: of a sound as long as another, that of the text before it at most', async () => {
    const question = (file: Uint8Array) => [user(sound(file), text('What do you hear?'))]
    const [one, other] = [toneOf(1.1, 620), toneOf(1.1, 640)]
    const { tokens } = await ask(ours.url, question(one))
    await until('its blocks', async () => (await heldBlocks(ours.url, question(one))) === Math.floor(tokens! / 16))
    expect(await heldBlocks(ours.url, question(other))).toBeLessThan(2)
  })

  // SGLang 0.5.23 writes the lengths of both to the first one (multimodal/processors/qwen_audio.py), and its scheduler dies of the second (models/qwen2_audio.py,
  // get_audio_feature) unless it has heard it alone before. So its own server is made to.
  test('two sounds, neither heard before', async () => {
    const [one, other] = [sound(toneOf(0.8, 300)), sound(toneOf(2.2, 350))]
    for (const alone of [one, other]) expect((await ask(theirs.url, [user(alone)])).status).toBe(200)
    const messages = [user(one, text('and'), other, text('differ?'))]
    const answer = await ask(ours.url, messages)
    expect(answer.status).toBe(200)
    expect(answer).toEqual(await ask(theirs.url, messages))
  })

  test('on level L2', async () => {
    const other = await serveReal(python!, model, 'L2', flags)
    try {
      for (const title of ['one sound', 'sounds in several turns']) {
        const messages = chats[title]!()
        expect(await ask(other.url, messages)).toEqual(await ask(ours.url, messages))
      }
      // Neither heard before.
      const two = [user(sound(toneOf(0.7, 310)), sound(toneOf(2.1, 360)), text('differ?'))]
      expect(await ask(other.url, two)).toEqual(await ask(ours.url, two))
    } finally {
      await other.stop()
    }
  })

  test('an attached server: one sound as above, two refused because it would die of them', async () => {
    const one = [user(sound(toneOf(1.2, 500)), text('What?'))]
    const answer = await ask(attached.url, one)
    expect(answer.status).toBe(200)
    expect(answer).toEqual(await ask(ours.url, one))
    const { status, error } = await ask(attached.url, [user(sound(toneOf(1.3, 500)), sound(toneOf(1.4, 500)))])
    expect([status, error?.message]).toEqual([400, expect.stringContaining('takes one sound in a chat')])
    expect((await ask(theirs.url, one)).status).toBe(200)
  })

  test('what is too long for the model is refused, where SGLang would leave the rest out', async () => {
    const { status, error } = await ask(ours.url, [user(sound(toneOf(30.1, 440)), text('What?'))])
    expect([status, error?.param]).toEqual([400, 'messages[0].content[0].audio_url.url'])
    expect(error?.message).toContain('longer than 30 seconds')
  })
})
