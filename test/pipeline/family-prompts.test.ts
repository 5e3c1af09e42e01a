// Chats with pictures as prompts of the families beside Qwen: each picture has its place, or the request is refused by name; none is dropped.
import { describe, expect, test } from 'bun:test'
import { type PictureFamily, writeFamily } from '../../models/vision/families.ts'
import { AppError } from '../../src/lib/errors.ts'
import { visionModelOf } from '../../src/media/vision/open.ts'
import { mediaOf } from '../../src/openai/request/media.ts'
import type { LoadedModel } from '../../src/pipeline/model.ts'
import { type Prepared, prepare } from '../../src/pipeline/prepare.ts'
import type { TextRequest } from '../../src/pipeline/types.ts'
import { loadChatTemplate } from '../../src/template/load.ts'
import { loadTokenizer } from '../../src/tokenizer/hf.ts'

/** A loaded model as far as prompts go; a picture is as wide as its address says. */
async function load(name: PictureFamily): Promise<LoadedModel> {
  const folder = writeFamily(name)
  const model = (await visionModelOf(folder))!
  return {
    tokenizer: await loadTokenizer(folder, { pieceCacheBytes: 1e6 }),
    template: await loadChatTemplate(folder),
    served: { id: name },
    samplingDefaults: {},
    engineTokenizes: false,
    info: { vocabSize: 2000, contextLength: 8192, maxPromptTokens: 8192 },
    sight: {
      model,
      padScheme: 'wide',
      read: async ({ url }: { url: string }) => ({
        file: Uint8Array.of(1),
        contentType: 'image/png',
        width: Number(url),
        height: 84,
        hash: url.padEnd(64, 'a'),
      }),
    },
  } as unknown as LoadedModel
}

type Message = { role: string; content: unknown }

async function prompt(model: LoadedModel, messages: Message[]): Promise<Prepared & { text: string }> {
  const media = mediaOf(messages)
  const request = {
    prompt: { kind: 'chat', input: { messages, addGenerationPrompt: true } },
    ...(media === undefined ? {} : { media }),
    sampling: {},
    stops: [],
    skipSpecial: true,
  } as unknown as TextRequest
  const made = await prepare(request, model, new AbortController().signal)
  return { ...made, text: short(await model.tokenizer.decode([...made.promptIds], false)) }
}

/** A repeated token once, with how often it stands there. */
const short = (text: string) => text.replace(/(<[^<>]+>)\1+/g, (run, token) => `${token}*${run.length / token.length}`)

const picture = (width: number) => ({ type: 'image_url', image_url: { url: String(width) } })
const words = (text: string) => ({ type: 'text', text })
const user = (...content: unknown[]): Message => ({ role: 'user', content })
const refusal = (made: Promise<unknown>) =>
  made.then(
    () => undefined,
    (error) => (error instanceof AppError ? { code: error.code, param: error.param } : error),
  )

const families: Record<PictureFamily, { one: string; after: string }> = {
  gemma3: {
    one: '<bos><start_of_turn>user\n\n\n<start_of_image><image_soft_token>*16<end_of_image>\n\nWhat?<end_of_turn>\n<start_of_turn>model\n',
    after:
      '<bos><start_of_turn>user\nWhat?\n\n<start_of_image><image_soft_token>*16<end_of_image>\n\n<end_of_turn>\n<start_of_turn>model\n',
  },
  internvl: {
    one: '<|im_start|>user\n<img><IMG_CONTEXT>*208</img>\nWhat?<|im_end|>\n<|im_start|>assistant\n',
    after: '<|im_start|>user\nWhat?<img><IMG_CONTEXT>*208</img>\n<|im_end|>\n<|im_start|>assistant\n',
  },
  llava: {
    one: '<s> USER: <image>*16\nWhat? ASSISTANT:',
    after: '<s> USER: <image>*16\nWhat? ASSISTANT:',
  },
  llama4: {
    one: '<|begin_of_text|><|header_start|>user<|header_end|>\n\n<|image_start|><|patch|>*4<|tile_x_separator|><|patch|>*4<|tile_y_separator|><|patch|>*4<|tile_x_separator|><|patch|>*4<|tile_y_separator|><|image|><|patch|>*4<|image_end|>What?<|eot|><|header_start|>assistant<|header_end|>\n\n',
    after:
      '<|begin_of_text|><|header_start|>user<|header_end|>\n\nWhat?<|image_start|><|patch|>*4<|tile_x_separator|><|patch|>*4<|tile_y_separator|><|patch|>*4<|tile_x_separator|><|patch|>*4<|tile_y_separator|><|image|><|patch|>*4<|image_end|><|eot|><|header_start|>assistant<|header_end|>\n\n',
  },
}

describe.each(Object.entries(families) as [PictureFamily, (typeof families)[PictureFamily]][])('%s', (name, wanted) => {
  const model = load(name)

  test('a picture before its question, and after it', async () => {
    expect((await prompt(await model, [user(picture(112), words('What?'))])).text).toBe(wanted.one)
    expect((await prompt(await model, [user(words('What?'), picture(112))])).text).toBe(wanted.after)
  })

  test('as text for servers whose processor of the family wants it so', async () => {
    const { mediaText } = await prompt(await model, [user(picture(112), words('What?'))])
    const texts = {
      gemma3: '<bos><start_of_turn>user\n<start_of_image>What?<end_of_turn>\n<start_of_turn>model\n',
      internvl: '<|im_start|>user\n<image>\nWhat?<|im_end|>\n<|im_start|>assistant\n',
      llava: 'USER: <image>\nWhat? ASSISTANT:',
    }
    expect(mediaText).toBe(({ llama4: undefined, ...texts } as Record<PictureFamily, string | undefined>)[name])
  })

  test('several in a message and in several turns, in their order', async () => {
    const answer = { role: 'assistant', content: 'A dog.' }
    const { media, promptIds } = await prompt(await model, [
      user(picture(112), words('or'), picture(200)),
      answer,
      user(picture(300), words('?')),
    ])
    expect(media!.map(({ width }) => width)).toEqual([112, 200, 300])
    const ends = media!.map(({ offset, tokens }) => offset + tokens)
    expect(ends.every((end, i) => end <= (media![i + 1]?.offset ?? promptIds.length))).toBe(true)
    const rows = promptIds.filter((id) => id === media![0]!.placeholder).length
    expect(rows).toBe(media!.reduce((sum, { grid }) => sum + grid[0] * grid[1] * grid[2], 0))
  })

  test.each(['system', 'tool', 'assistant'])('in a message of role %s: it has its place, or the request is refused', async (role) => {
    const messages = [{ role, content: [words('Look.'), picture(112)] }, user(words('What?'))]
    if (role !== 'system') messages.unshift(user(words('Hi')))
    const made = prompt(await model, messages)
    const refused = await refusal(made)
    if (refused === undefined) expect((await made).media!.length).toBe(1)
    else expect([refused.code, refused.param]).toEqual([expect.stringMatching(/^(invalid_value|invalid_template)$/), 'messages'])
  })

  test('the text of its mark is refused beside a picture, and without one where it would be read as the place of one', async () => {
    const { written, placeholderId, imageTokenId } = (await model).sight!.model!
    const mark = written?.mark ?? (await (await model).tokenizer.decode([placeholderId ?? imageTokenId], false))
    expect(await refusal(prompt(await model, [user(picture(112), words(`What is ${mark}?`))]))).toEqual({
      code: 'invalid_value',
      param: 'messages',
    })
    const alone = prompt(await model, [user(words(`What is ${mark}?`))])
    // InternVL's mark is plain text to its tokenizer; the token that its processor makes of it is not.
    if (name === 'internvl') expect((await alone).media).toBeUndefined()
    else expect(await refusal(alone)).toEqual({ code: 'invalid_value', param: 'messages' })
    for (const param of ['prompt', 'input_ids']) {
      const made = { prompt: { kind: 'ids', ids: Uint32Array.of(5, imageTokenId, 6), param }, sampling: {}, stops: [] }
      expect(await refusal(prepare(made as unknown as TextRequest, await model, new AbortController().signal))).toEqual({
        code: 'invalid_value',
        param,
      })
    }
    const row = await (await model).tokenizer.decode([imageTokenId], false)
    expect(await refusal(prompt(await model, [user(words(`What is ${row}?`))]))).toEqual({ code: 'invalid_value', param: 'messages' })
  })

  test("a text beside a picture may not hold what stands around a picture's rows; a text alone may", async () => {
    const { media, promptIds } = await prompt(await model, [user(picture(112), words('What?'))])
    const { offset, tokens, placeholder, single } = media![0]!
    const around = [...new Set(promptIds.subarray(offset, offset + tokens))].filter((id) => id !== placeholder && id !== single)
    expect(around.length > 0).toBe(name !== 'llava')
    for (const id of around) {
      const mark = words(`What is ${await (await model).tokenizer.decode([id], false)}?`)
      for (const beside of [user(picture(112), mark), user(mark, picture(112))])
        expect(await refusal(prompt(await model, [beside]))).toEqual({ code: 'invalid_value', param: 'messages' })
      expect((await prompt(await model, [user(mark)])).media).toBeUndefined()
    }
  })

  test('a text alone has what the tokenizer puts in front of every text once', async () => {
    const { text } = await prompt(await model, [user(words('Hi'))])
    expect(text.match(/<s>|<bos>|<\|begin_of_text\|>/g)?.length ?? 0).toBe(name === 'internvl' ? 0 : 1)
  })
})
