// Families beside Qwen on a real SGLang: chats with pictures through our server are answered as SGLang's own server answers them, token for token, on every level of
// the bridge, and the router knows what of them is in SGLang's cache.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import { type FamilyName, writeFamily } from '../../models/vision/families.ts'
import { dataUrl } from '../helpers/clips.ts'
import { need } from '../helpers/need.ts'
import { pngOf } from '../helpers/pictures.ts'
import { startSglangServer } from '../helpers/processes/sglang-server.ts'
import type { Started } from '../helpers/processes/start.ts'
import { until } from '../helpers/run-request.ts'
import { type Answer, ask, heldBlocks, picture, serveReal, text, user } from '../helpers/seeing-chats.ts'
import { sglangPython } from '../helpers/sglang.ts'

setDefaultTimeout(400_000)

interface Case {
  name: FamilyName
  /** For both. */
  flags: string[]
  /** For SGLang's own server: the template that ours takes from the family's own rules. */
  server?: string[]
  /** SGLang's own server puts a second <bos> before the one that the template writes, for text alone: it is asked for the rendered text instead. */
  alone?: string
  /** SGLang keeps no prefixes of it, so there is nothing to find again. */
  forgets?: true
  /** A mark that the model's pictures begin or end with: beside a picture SGLang's scheduler would die of it. */
  mark?: string
}

const template = (name: string) => join(import.meta.dir, `../../models/vision/templates/${name}.jinja`)
const usual = ['--enable-multimodal', '--mm-attention-backend', 'sdpa', '--dtype', 'float32', '--page-size', '16']
const cases: Case[] = [
  {
    name: 'gemma3',
    flags: [],
    alone: '<start_of_turn>user\nSay hello.<end_of_turn>\n<start_of_turn>model\n',
    mark: '<end_of_image>',
  },
  // Its own chat template for this family leaves a second placeholder in the prompt as text; it must be told another.
  { name: 'internvl', flags: [], server: ['--chat-template', template('internvl')], mark: '<img>' },
  // SGLang's class of LlavaForConditionalGeneration cannot make CLIP's tower (models/llava.py:788); transformers' own model can be served, without a prefix cache.
  { name: 'llava', flags: ['--model-impl', 'transformers'], forgets: true },
  // Llama 4 is left out: SGLang 0.5.23 has no experts for it on the CPU (layers/moe/fused_moe_native.py:68, weights on the input). Its prompts:
  // test/pipeline/family-prompts.test.ts.
]

const python = sglangPython()
const [a, b] = (await Promise.all([pngOf(112, 84, 1), pngOf(200, 120, 2)])).map((file) => dataUrl(file, 'image/png')) as [string, string]

const chats: Record<string, unknown[]> = {
  'text alone': [{ role: 'user', content: 'Say hello.' }],
  'one picture': [user(picture(a), text('What is this?'))],
  'another of another size': [user(picture(b), text('What is this?'))],
  'two pictures': [user(picture(a), text('and'), picture(b), text('differ?'))],
  'a picture after the text': [user(text('What is this?'), picture(a))],
  'pictures in several turns': [
    user(picture(a), text('What?')),
    { role: 'assistant', content: 'A dog.' },
    user(text('And this?'), picture(b)),
  ],
}

describe.skipIf(!need('SGLang (bun run sglang:setup)', python !== undefined))('families', () => {
  describe.each(cases)('$name', ({ name, flags, server = [], alone, forgets, mark }) => {
    const all = [...usual, ...flags]
    const wanted = new Map<string, Answer>()
    let model: string
    let ours: Started
    beforeAll(async () => {
      model = writeFamily(name)
      const [theirs, first] = await Promise.all([
        startSglangServer(python!, model, [...all, ...server, '--served-model-name', 'tiny']),
        serveReal(python!, model, 'L1', all),
      ])
      ours = first
      for (const title of Object.keys(chats))
        wanted.set(title, await ask(theirs.url, title === 'text alone' ? (alone ?? chats[title]) : chats[title]))
      await theirs.stop()
    })
    afterAll(() => ours?.stop())

    test.each(Object.keys(chats))('%s', async (title) => {
      const { status, text, tokens } = wanted.get(title)!
      expect(status).toBe(200)
      expect(await ask(ours.url, chats[title])).toEqual({ status, text, tokens })
    })

    /** Both chats begin alike but for their pictures. */
    async function cacheIsKnown(url: string): Promise<void> {
      const [one, other] = ['one picture', 'another of another size'] as const
      const blocks = forgets ? 0 : Math.floor(wanted.get(one)!.tokens! / 16)
      await until('its blocks', async () => (await heldBlocks(url, chats[one])) === blocks)
      const last = await heldBlocks(url, [user(picture(b), text('What is that?'))])
      expect(last).toBeLessThan(forgets ? 1 : Math.floor(wanted.get(other)!.tokens! / 16))
    }

    test('KV blocks have the names that the router foresees', () => cacheIsKnown(ours.url))

    if (mark !== undefined)
      test('a mark of pictures in a text beside one is refused, and the engine goes on', async () => {
        const { status, error } = await ask(ours.url, [user(picture(a), text(`What ${mark} is this?`))])
        expect([status, error?.param]).toEqual([400, 'messages'])
        expect(await ask(ours.url, [user(text(`What ${mark} is this?`))])).toMatchObject({ status: 200 })
      })

    // L0 has L1's way in for pictures, so one family is enough there.
    const others = name === 'gemma3' ? (['L0', 'L2'] as const) : (['L2'] as const)
    test(`on ${others.join(' and ')}`, async () => {
      await ours.stop()
      const started = await Promise.all(others.map((level) => serveReal(python!, model, level, all)))
      try {
        for (const { url } of started) {
          expect((await ask(url, chats['one picture'])).text).toBe(wanted.get('one picture')!.text)
          expect((await ask(url, chats['two pictures'])).text).toBe(wanted.get('two pictures')!.text)
          await cacheIsKnown(url)
        }
      } finally {
        await Promise.all(started.map((one) => one.stop()))
      }
    })
  })
})
