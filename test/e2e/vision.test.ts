// Pictures in chats from the running product, by the official clients and as the documents' commands send them. The mock's answers follow from what it was shown.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import OpenAI from 'openai'
import { dataUrl } from '../helpers/clips.ts'
import { need } from '../helpers/need.ts'
import { openai } from '../helpers/openai.ts'
import { type PictureHost, startPictureHost } from '../helpers/picture-host.ts'
import { pngOf } from '../helpers/pictures.ts'
import { idle, productCommand, type Started, start } from '../helpers/processes/start.ts'
import { pythonWith, run } from '../helpers/python.ts'

setDefaultTimeout(60_000)

const model = 'models/tiny-vl'
/** As the New Yorker's server names its photographs: escapes, and an escaped percent sign. */
const photograph = '/photos/63249cff39ac97c4c23ff5d0/master/w_2560%2Cc_limit/Marzorati%2520-%2520Federer%2520Retirement%25202.jpg'

let server: Started
let host: PictureHost
let client: OpenAI
let [a, b, large] = ['', '', '']
beforeAll(async () => {
  const files = await Promise.all([pngOf(112, 84, 1), pngOf(112, 84, 2), pngOf(1200, 900, 3)])
  ;[a, b, large] = files.map((file) => dataUrl(file, 'image/png')) as [string, string, string]
  const moved = (to: string) => () => new Response('', { status: 301, headers: { location: to } })
  host = await startPictureHost({
    [photograph]: moved('/elsewhere%2Cagain/?w=2560&x=%2520'),
    '/elsewhere%2Cagain/': moved('./b.png?last'),
    '/elsewhere%2Cagain/b.png': moved('/b.png'),
  })
  server = await start({ args: ['--model-path', model, '--enable-multimodal'], env: { DYN_MM_ALLOW_INTERNAL: '1' } })
  client = openai(server)
})
afterAll(() => Promise.all([server?.stop(), host?.stop()]))

type Detail = 'auto' | 'low' | 'high'
type More = Partial<OpenAI.ChatCompletionCreateParamsNonStreaming>
const ask = (urls: readonly string[], more: More = {}, detail?: Detail) => ({
  ...{ model, max_tokens: 12, temperature: 0, ...more },
  messages: [
    {
      role: 'user' as const,
      content: [
        { type: 'text' as const, text: 'What is this?' },
        ...urls.map((url) => ({ type: 'image_url' as const, image_url: { url, ...(detail && { detail }) } })),
      ],
    },
  ],
})
const see = async (urls: readonly string[], more: More = {}, detail?: Detail) => {
  const answer = await client.chat.completions.create(ask(urls, more, detail))
  return { text: answer.choices[0]!.message.content!, tokens: answer.usage!.prompt_tokens }
}
/** What a request is refused with. The client's promises are its own, so they are made real ones. */
const refusal = (request: PromiseLike<unknown>): Promise<unknown> =>
  Promise.resolve(request).then(
    () => undefined,
    (error: unknown) => error,
  )

describe('openai for Node', () => {
  test('the same picture gives the same answer, another one another, none yet another; its rows are counted', async () => {
    const [one, other, again, none] = await Promise.all([see([a]), see([b]), see([a]), see([])])
    expect(again).toEqual(one!)
    expect(new Set([one!.text, other!.text, none!.text]).size).toBe(3)
    // 112 x 84 pixels are 4 x 3 blocks of 28; a start and an end stand around them.
    expect([one!.tokens - none!.tokens, other!.tokens - none!.tokens]).toEqual([14, 14])
  })

  test('an address is as good as the bytes', async () => {
    expect(await see([`${host.url}/a.png`, `${host.url}/b.png`])).toEqual(await see([a, b]))
  })

  test('several pictures, in their order', async () => {
    const [ab, ba, aa] = await Promise.all([see([a, b]), see([b, a]), see([a, a])])
    expect(new Set([ab!.text, ba!.text, aa!.text]).size).toBe(3)
    expect(ba!.tokens).toBe(ab!.tokens)
  })

  test('detail: low is cheaper, auto and high are the picture as it is', async () => {
    const [usual, auto, high, low] = await Promise.all([
      see([large]),
      see([large], {}, 'auto'),
      see([large], {}, 'high'),
      see([large], {}, 'low'),
    ])
    expect([auto, high]).toEqual([usual!, usual!])
    expect(low!.tokens).toBeLessThan(usual!.tokens / 4)
  })

  test('a stream is the whole answer, with its usage', async () => {
    const whole = await client.chat.completions.create(ask([a, b]))
    let text = ''
    let usage: OpenAI.CompletionUsage | null | undefined
    for await (const chunk of await client.chat.completions.create({
      ...ask([a, b]),
      stream: true,
      stream_options: { include_usage: true },
    })) {
      text += chunk.choices[0]?.delta.content ?? ''
      usage = chunk.usage ?? usage
    }
    expect(text).toBe(whole.choices[0]!.message.content!)
    expect(usage).toEqual(whole.usage!)
  })

  test('n choices of one picture', async () => {
    const { choices } = await client.chat.completions.create(ask([a], { n: 3, temperature: 1 }))
    expect(choices.map(({ index }) => index)).toEqual([0, 1, 2])
  })

  test('a picture that cannot be read is a BadRequest that names it, streamed or not', async () => {
    const error = await refusal(client.chat.completions.create(ask([a, `${host.url}/missing.png`])))
    expect(error).toBeInstanceOf(OpenAI.BadRequestError)
    expect(error).toMatchObject({ status: 400, code: 'invalid_image', param: 'messages[0].content[2].image_url.url' })
    const streamed = client.chat.completions.create({ ...ask(['data:image/png;base64,AAAA']), stream: true })
    expect(await refusal(streamed)).toBeInstanceOf(OpenAI.BadRequestError)
    await idle(server)
  })

  test('models are listed as ever', async () => {
    const list = []
    for await (const { id } of client.models.list()) list.push(id)
    expect(list).toEqual([model])
    expect((await client.models.retrieve(model)).id).toBe(model)
  })
})

const python = pythonWith('openai')
const names = ['the_answer_follows_from_the_picture', 'stream_equals_whole', 'detail', 'refused_by_name', 'many_at_once']
describe.if(need('a python with openai (bun run sglang:setup)', python !== undefined))('openai for Python', () => {
  let outcomes: Record<string, true | string> = {}
  beforeAll(async () => {
    const script = join(import.meta.dir, '../interop/openai_vision_client.py')
    const { code, stdout, stderr } = await run([python!, script, `${server.url}/v1`, model, a, `${host.url}/b.png`], 120_000)
    if (code !== 0) throw new Error(stderr)
    outcomes = JSON.parse(stdout)
  }, 150_000)
  test.each(names)('%s', (name) => expect(outcomes[name]).toBe(true))
  test('nothing else was checked', () => expect(Object.keys(outcomes)).toEqual(names))
})

test("the documents' curl: a long address with escapes that moves, by a server of its own", async () => {
  const body = `{
    "model": "${model}",
    "messages": [
      {
        "role": "user",
        "content": [
          {"type": "text", "text": "Explain why Roger Federer is considered one of the greatest tennis players of all time"},
          {"type": "image_url", "image_url": {"url": "${host.url}${photograph}"}}
        ]
      }
    ],
    "max_tokens": 50,
    "stream": false
  }`
  const words = ['-s', '-m', '30', `${server.url}/v1/chat/completions`, '-H', 'Content-Type: application/json', '-d', body]
  const { stdout, code } = await run(['curl', ...words], 40_000)
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ object: 'chat.completion', usage: { completion_tokens: 50 } })
  expect([host.asked(photograph), host.asked('/elsewhere%2Cagain/'), host.asked('/elsewhere%2Cagain/b.png')]).toEqual([1, 1, 1])
})

test('a text model says which part it does not take', async () => {
  const text = await start()
  try {
    const asked = openai(text).chat.completions.create({ ...ask([a]), model: 'models/tiny-llm' })
    expect(await refusal(asked)).toMatchObject({
      status: 400,
      code: 'unsupported_parameter',
      param: 'messages[0].content[1]',
      message: expect.stringContaining('--enable-multimodal'),
    })
  } finally {
    await text.stop()
  }
})

describe('KV routing', () => {
  let fleet: Started
  beforeAll(async () => {
    fleet = await start({ args: ['--model-path', model, '--enable-multimodal', '--workers', '2', '--router-mode', 'kv'] })
  })
  afterAll(() => fleet?.stop())

  const placed = async (url: string) => {
    const { response } = await openai(fleet)
      .chat.completions.create(ask([url]))
      .withResponse()
    return { worker: response.headers.get('x-worker-id')!, overlap: Number(response.headers.get('x-kv-overlap')) }
  }

  test('a picture goes where it was seen; one of its size that nobody saw is not taken for it', async () => {
    const files = await Promise.all(Array.from({ length: 8 }, (_, i) => pngOf(560, 560, 70 + i)))
    const urls = files.map((file) => dataUrl(file, 'image/png'))
    const first = await Promise.all(urls.map(placed))
    expect(new Set(first.map(({ worker }) => worker)).size).toBe(2)
    // The text before the picture is all that they share: less than the 400 rows of each.
    for (const { overlap } of first) expect(overlap).toBeLessThan(64)
    for (const [i, url] of urls.entries()) {
      const again = await placed(url)
      expect(again.worker).toBe(first[i]!.worker)
      expect(again.overlap).toBeGreaterThanOrEqual(384)
    }
  })
})

describe('the command line', () => {
  const said = async (...words: string[]) => {
    const { stdout, stderr } = await run([...productCommand(), ...words], 50_000)
    return stdout + stderr
  }
  test('--help names what vision takes', async () => {
    const help = await said('serve', '--help')
    for (const flag of ['--enable-multimodal', '--dedicated-mm-encoder', '--vision-encoders', 'DYN_MM_ALLOW_INTERNAL', 'DYN_MM_LOCAL_PATH'])
      expect(help).toContain(flag)
    expect(await said('--help')).toContain('preprocess')
  })
  test('doctor looks at the model that sees', async () => {
    expect(await said('doctor', '--engine', 'mock', '--model-path', model, '--enable-multimodal')).toMatch(/vision|pictures/i)
  })
})
