// Families beside Qwen on a real SGLang: chats with pictures through our server are answered as SGLang's own server answers them, token for token.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import { type FamilyName, writeFamily } from '../../models/vision/families.ts'
import { dataUrl } from '../helpers/clips.ts'
import { need } from '../helpers/need.ts'
import { pngOf } from '../helpers/pictures.ts'
import { type SglangServer, startSglangServer } from '../helpers/processes/sglang-server.ts'
import { type Started, start } from '../helpers/processes/start.ts'
import { cpuArgs, cpuEnv, sglangPython } from '../helpers/sglang.ts'

setDefaultTimeout(400_000)

interface Case {
  name: FamilyName
  /** For both. */
  flags: string[]
  /** For SGLang's own server: the template that ours takes from the family's own rules. */
  server?: string[]
  /** SGLang's own server puts a second <bos> before the one that the template writes, for text alone: it is asked for the rendered text instead. */
  alone?: string
}

const template = (name: string) => join(import.meta.dir, `../../models/vision/templates/${name}.jinja`)
const usual = ['--enable-multimodal', '--mm-attention-backend', 'sdpa', '--dtype', 'float32']
const cases: Case[] = [
  { name: 'gemma3', flags: ['--page-size', '16'], alone: '<start_of_turn>user\nSay hello.<end_of_turn>\n<start_of_turn>model\n' },
  // Its own chat template for this family leaves a second placeholder in the prompt as text; it must be told another.
  { name: 'internvl', flags: ['--page-size', '16'], server: ['--chat-template', template('internvl')] },
  // SGLang's class of LlavaForConditionalGeneration cannot make CLIP's tower (models/llava.py:788); transformers' own model can be served.
  { name: 'llava', flags: ['--page-size', '16', '--model-impl', 'transformers'] },
  // Llama 4 is left out: SGLang 0.5.23 has no experts for it on the CPU (layers/moe/fused_moe_native.py:68, weights on the input). Its prompts:
  // test/pipeline/family-prompts.test.ts.
]

const python = sglangPython()
const [a, b] = (await Promise.all([pngOf(112, 84, 1), pngOf(200, 120, 2)])).map((file) => dataUrl(file, 'image/png'))
const picture = (url: string, detail?: string) => ({ type: 'image_url', image_url: { url, ...(detail === undefined ? {} : { detail }) } })
const text = (words: string) => ({ type: 'text', text: words })
const user = (...content: unknown[]) => ({ role: 'user', content })

const chats: Record<string, unknown[]> = {
  'text alone': [{ role: 'user', content: 'Say hello.' }],
  'one picture': [user(picture(a!), text('What is this?'))],
  'another of another size': [user(picture(b!), text('What is this?'))],
  'two pictures': [user(picture(a!), text('and'), picture(b!), text('differ?'))],
  'a picture after the text': [user(text('What is this?'), picture(a!))],
  'pictures in several turns': [
    user(picture(a!), text('What?')),
    { role: 'assistant', content: 'A dog.' },
    user(text('And this?'), picture(b!)),
  ],
}

interface Answer {
  status: number
  text: string
  tokens: number
  error?: string
}

async function ask(url: string, prompt: unknown): Promise<Answer> {
  const [path, what] = typeof prompt === 'string' ? ['completions', { prompt }] : ['chat/completions', { messages: prompt }]
  const body = JSON.stringify({ model: 'tiny', ...what, max_tokens: 16, temperature: 0, ignore_eos: true })
  const response = await fetch(`${url}/v1/${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
  const answer = (await response.json()) as {
    choices?: { text?: string; message?: { content: string } }[]
    usage?: { prompt_tokens: number }
    error?: { message: string }
    message?: string
  }
  const error = answer.error?.message ?? answer.message
  return {
    status: response.status,
    text: answer.choices?.[0]?.text ?? answer.choices?.[0]?.message?.content ?? '',
    tokens: answer.usage?.prompt_tokens ?? 0,
    ...(error === undefined ? {} : { error }),
  }
}

describe.skipIf(!need('SGLang (bun run sglang:setup)', python !== undefined))('families', () => {
  describe.each(cases)('$name', ({ name, flags, server = [], alone }) => {
    let theirs: SglangServer
    let ours: Started
    beforeAll(async () => {
      const model = writeFamily(name)
      const args = [...cpuArgs(model), ...usual, ...flags]
      const front = ['serve', ...'--http-host 127.0.0.1 --http-port {port} --served-model-name tiny'.split(' ')]
      const command = [...front, '--engine', 'sglang', '--python', python!, ...args]
      ;[theirs, ours] = await Promise.all([
        startSglangServer(python!, model, [...usual, ...flags, ...server, '--served-model-name', 'tiny']),
        start({ command, env: cpuEnv(), readySecs: 300 }),
      ])
    })
    afterAll(() => Promise.all([theirs?.stop(), ours?.stop()]))

    test.each(Object.keys(chats))('%s', async (title) => {
      const wanted = await ask(theirs.url, title === 'text alone' ? (alone ?? chats[title]) : chats[title])
      expect(wanted.status).toBe(200)
      expect(await ask(ours.url, chats[title])).toMatchObject({ status: 200, tokens: wanted.tokens, text: wanted.text })
    })
  })
})
