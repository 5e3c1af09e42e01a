// Chats whose bodies are odd, that carry very many pictures or very large ones, and whose clients leave: over the API of the running product.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import sharp from 'sharp'
import { dataUrl } from '../helpers/clips.ts'
import { ask, at, picture, refused, send, text } from '../helpers/hostile-chat.ts'
import { type PictureHost, startPictureHost } from '../helpers/picture-host.ts'
import { pngOf as pictureOf } from '../helpers/pictures.ts'
import { eventually, idle, type Started, start } from '../helpers/processes/start.ts'

setDefaultTimeout(60_000)

const png = Buffer.from(await pictureOf(112, 84))
const jpeg = await sharp(png).jpeg().toBuffer()
const large = await sharp({ create: { width: 5000, height: 5000, channels: 4, background: { r: 1, g: 2, b: 3, alpha: 0.5 } } })
  .png()
  .toBuffer()

let strict: Started
let open: Started
let host: PictureHost
/** Downloads that have begun and that nobody has left. */
let holding = 0
const held = (answer: () => Response | Promise<Response>) => (request: Request) => {
  holding++
  request.signal.addEventListener('abort', () => holding--, { once: true })
  return answer()
}
beforeAll(async () => {
  host = await startPictureHost({
    '/silent': held(() => new Promise(() => {})),
    '/drips': held(() => new Response(new ReadableStream({ pull: (c) => Bun.sleep(50).then(() => c.enqueue(Uint8Array.of(137))) }))),
  })
  const args = ['--model-path', 'models/tiny-vl', '--enable-multimodal']
  ;[strict, open] = await Promise.all([
    start({ args, env: { DYN_MM_ALLOW_INTERNAL: '' } }),
    start({ args, env: { DYN_MM_ALLOW_INTERNAL: '1' } }),
  ])
})
afterAll(() => Promise.all([strict?.stop(), open?.stop(), host?.stop()]))

describe('bodies', () => {
  const a = dataUrl(png, 'image/png')
  const inside = 'messages[0].content[1]'
  const cases: [string, unknown, object][] = [
    ['an empty data address', picture('data:image/png;base64,'), refused('invalid_value')],
    ['a data address without base64', picture('data:image/svg+xml,<svg/>'), refused('invalid_value')],
    ['base64 that is none', picture('data:image/png;base64,%%%'), refused('invalid_value')],
    ['no address', picture(''), refused('invalid_value')],
    ['an address of spaces', picture('   '), refused('invalid_value')],
    ['null', picture(null), refused('invalid_type')],
    ['a number', picture(7), refused('invalid_type')],
    ['an object in an object', picture({ url: a }), refused('invalid_type')],
    ['a list', { type: 'image_url', image_url: [a] }, refused('invalid_type', undefined, `${inside}.image_url`)],
    ['nothing', { type: 'image_url' }, refused('missing_parameter', undefined, `${inside}.image_url`)],
    ['a kind of part that nobody knows', { type: '__proto__' }, refused('invalid_value', undefined, `${inside}.type`)],
    [
      'a detail that nobody knows',
      { type: 'image_url', image_url: { url: a, detail: 'ultra' } },
      refused('invalid_value', undefined, `${inside}.image_url.detail`),
    ],
    ['a list in the list', [text('a')], refused('invalid_type', undefined, inside)],
    ["the model's own token for pictures", text('<|image_pad|>'), refused('invalid_value', /own token/, 'messages')],
    ["the model's own token for clips", text('<|video_pad|>'), refused('invalid_value', undefined, 'messages')],
    ['a whole picture in tokens', text('<|vision_start|><|image_pad|><|vision_end|>'), refused('invalid_value', undefined, 'messages')],
  ]
  test.each(cases)('%s', async (_, part, outcome) => expect(await ask(strict, [part, picture(a)])).toMatchObject(outcome))

  test.each(['system', 'developer', 'assistant', 'tool'])(
    'a picture in a %s message is seen, and a broken one refused by name',
    async (role) => {
      const message = (url: string) => ({ role, content: [text('Look.'), picture(url)], tool_call_id: 'call_1' })
      const answers = [message(a), message(dataUrl(jpeg.subarray(0, 99))), { role, content: 'Look.', tool_call_id: 'call_1' }].map(
        async (first) => {
          const response = await send(strict, [first, { role: 'user', content: 'Go on.' }])
          return (await response.json()) as { usage: { prompt_tokens: number }; error: object }
        },
      )
      const [seen, broken, plain] = await Promise.all(answers)
      expect(seen!.usage.prompt_tokens - plain!.usage.prompt_tokens).toBe(14)
      expect(broken!.error).toMatchObject({ code: 'invalid_image', param: at })
    },
  )

  test('300 pictures are answered, 1501 are one too many', async () => {
    const small = picture(dataUrl(await pictureOf(28, 28), 'image/png'))
    expect(await ask(strict, Array(300).fill(small))).toEqual({ status: 200 })
    expect(await ask(strict, Array(1501).fill(small))).toMatchObject(refused('invalid_value', /1500 are the most/, 'messages'))
  })

  test('a data address of 50 MB is more than a body may have', async () => {
    const url = `data:image/png;base64,${'A'.repeat(67_000_000)}`
    expect(await ask(strict, [picture(url)])).toMatchObject({ status: 413, code: 'body_too_large' })
  })
})

describe('memory and what is left behind', () => {
  const megabytes = (server: Started) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))![1]) / 1024

  test('60 large pictures at once: a few are decoded at a time', async () => {
    let most = 0
    const watch = setInterval(() => {
      most = Math.max(most, megabytes(strict))
    }, 5)
    const url = dataUrl(large, 'image/png')
    const before = megabytes(strict)
    const got = await Promise.all(Array.from({ length: 60 }, () => ask(strict, [picture(url)])))
    clearInterval(watch)
    // Each is 25 million pixels: too long for this model, and 175 MB while it is decoded and written again; all at once would be 10 GB.
    for (const one of got) expect(one).toMatchObject(refused('context_length_exceeded', /send fewer or smaller ones/, 'messages'))
    expect(most - before).toBeLessThan(2000)
    expect(await ask(strict, [picture(dataUrl(png))])).toEqual({ status: 200 })
  })

  test('clients that leave while their pictures are fetched or decoded leave nothing behind', async () => {
    const bodies = [`${host.url}/silent`, `${host.url}/drips`, dataUrl(large, 'image/png')]
    const leaving = new AbortController()
    const going = Array.from({ length: 60 }, (_, i) =>
      send(open, [{ role: 'user', content: [picture(bodies[i % 3])] }], { signal: leaving.signal }).then(
        () => 'answered',
        () => 'left',
      ),
    )
    await eventually('downloads are under way', () => holding >= 40)
    leaving.abort()
    await Promise.all(going)
    await idle(open)
    await eventually('their servers are left', () => holding === 0)
    expect(await ask(open, [picture(`${host.url}/a.png`)])).toEqual({ status: 200 })
  })

  test('a request whose second picture is broken does not go on with the first', async () => {
    expect(await ask(open, [picture(`${host.url}/silent`), picture('data:image/png;base64,AAAA')])).toMatchObject(
      refused('invalid_image', undefined, 'messages[0].content[2].image_url.url'),
    )
    await eventually('it is left', () => holding === 0)
    await idle(open)
  })
})
