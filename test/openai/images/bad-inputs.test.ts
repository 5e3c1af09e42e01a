// What a client gets for each kind of mistake: status, code, the field's name, and a message that says what to do.
import { afterAll, describe, expect, test } from 'bun:test'
import { pngHead } from '../../helpers/fakes/image-input.ts'
import { imagesApp } from '../../helpers/fakes/images-app.ts'

type Case = [name: string, body: unknown, status: number, code: string, param: string | null, message: RegExp]

const ask = (extra: object) => ({ prompt: 'a cat', ...extra })
const image = 'https://images.test/64x64'
const edit = (extra: object) => ({ prompt: 'a hat', image, ...extra })

const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, i]))

const generationCases: Case[] = [
  ['empty body', '', 400, 'invalid_json', null, /empty/],
  ['broken JSON', '{"prompt":', 400, 'invalid_json', null, /not valid JSON/],
  ['an array', [], 400, 'invalid_type', null, /must be a JSON object/],
  ['no prompt', {}, 400, 'missing_parameter', 'prompt', /Missing required parameter: 'prompt'/],
  ['prompt null', { prompt: null }, 400, 'missing_parameter', 'prompt', /Missing/],
  ['prompt empty', ask({ prompt: '' }), 400, 'invalid_value', 'prompt', /must not be empty/],
  ['prompt a number', ask({ prompt: 5 }), 400, 'invalid_type', 'prompt', /expected a string, but got a number/],
  ['prompt too long', ask({ prompt: 'x'.repeat(32_001) }), 400, 'invalid_value', 'prompt', /at most 32000 characters/],
  ['unknown model', ask({ model: 'nope' }), 404, 'model_not_found', 'model', /'nope'/],
  ['model empty', ask({ model: '' }), 400, 'invalid_value', 'model', /must not be empty/],
  ['n 0', ask({ n: 0 }), 400, 'invalid_value', 'n', /at least 1, but it is 0/],
  ['n 11', ask({ n: 11 }), 400, 'invalid_value', 'n', /at most 10, but it is 11/],
  ['n beyond integers', ask({ n: 1e308 }), 400, 'invalid_value', 'n', /at most 10, but it is 1e\+308/],
  ['n far below', ask({ n: -1e308 }), 400, 'invalid_value', 'n', /at least 1, but it is -1e\+308/],
  ['n a fraction', ask({ n: 1.5 }), 400, 'invalid_type', 'n', /an integer/],
  ['n a string', ask({ n: '2' }), 400, 'invalid_type', 'n', /a number, but got a string/],
  ['size of one side', ask({ size: '1024' }), 400, 'invalid_value', 'size', /"1024" is neither 'auto' nor WIDTHxHEIGHT/],
  ['size of words', ask({ size: 'large' }), 400, 'invalid_value', 'size', /neither 'auto'/],
  ['size negative', ask({ size: '-64x64' }), 400, 'invalid_value', 'size', /neither 'auto'/],
  ['size a number', ask({ size: 1024 }), 400, 'invalid_type', 'size', /a string/],
  ['size 0x0', ask({ size: '0x0' }), 400, 'invalid_value', 'size', /nearest is 16x16/],
  ['size off the grid', ask({ size: '1000x1001' }), 400, 'invalid_value', 'size', /multiples of 16 .* nearest is 1008x1008/],
  ['size too large', ask({ size: '99984x99984' }), 400, 'invalid_value', 'size', /9996800256 pixels; at most 16777216/],
  ['width alone', ask({ width: 64 }), 400, 'invalid_value', 'width', /'height' must stand beside it/],
  ['height off the grid', ask({ width: 64, height: 65 }), 400, 'invalid_value', 'height', /multiples of 16/],
  ['two sizes', ask({ size: '64x64', width: 64, height: 32 }), 400, 'invalid_value', 'size', /'width' and 'height' say 64x32/],
  ['quality unknown', ask({ quality: 'ultra' }), 400, 'invalid_value', 'quality', /"ultra" is not one of 'auto', 'low'/],
  ['style unknown', ask({ style: 'cubist' }), 400, 'invalid_value', 'style', /not one of 'vivid', 'natural'/],
  ['moderation unknown', ask({ moderation: 'high' }), 400, 'invalid_value', 'moderation', /not one of/],
  ['format unknown', ask({ response_format: 'file' }), 400, 'invalid_value', 'response_format', /not one of 'url', 'b64_json'/],
  ['file format unknown', ask({ output_format: 'gif' }), 400, 'invalid_value', 'output_format', /not one of 'png', 'jpeg', 'webp'/],
  ['compression 101', ask({ output_compression: 101 }), 400, 'invalid_value', 'output_compression', /at most 100/],
  ['two compressions', ask({ output_compression: 10, output_quality: 'low' }), 400, 'invalid_value', 'output_quality', /give one of them/],
  ['transparent', ask({ background: 'transparent' }), 400, 'unsupported_parameter', 'background', /without an alpha channel/],
  ['background unknown', ask({ background: 'blue' }), 400, 'invalid_value', 'background', /not one of/],
  ['stream a string', ask({ stream: 'yes' }), 400, 'invalid_type', 'stream', /a boolean/],
  ['partial_images 4', ask({ stream: true, partial_images: 4 }), 400, 'invalid_value', 'partial_images', /at most 3/],
  ['previews of no stream', ask({ partial_images: 1 }), 400, 'invalid_value', 'partial_images', /only for 'stream': true/],
  ['seed negative', ask({ seed: -1 }), 400, 'invalid_value', 'seed', /at least 0/],
  ['seed beyond integers', ask({ seed: 2 ** 53 }), 400, 'invalid_value', 'seed', /at most 4294966272, but it is 9007199254740992/],
  ['seed in nvext beyond', ask({ nvext: { seed: 2 ** 53 } }), 400, 'invalid_value', 'nvext.seed', /at most 4294966272/],
  ['seed a list', ask({ seed: [1, 2] }), 400, 'invalid_type', 'seed', /but got an array/],
  ['seed beyond numbers', '{"prompt":"a","seed":1e999}', 400, 'invalid_type', 'seed', /beyond any limit/],
  ['steps 0', ask({ num_inference_steps: 0 }), 400, 'invalid_value', 'num_inference_steps', /at least 1/],
  ['steps in nvext', ask({ nvext: { num_inference_steps: 2000 } }), 400, 'invalid_value', 'nvext.num_inference_steps', /at most 1000/],
  ['guidance negative', ask({ guidance_scale: -1 }), 400, 'invalid_value', 'guidance_scale', /at least 0/],
  ['nvext a string', ask({ nvext: 'x' }), 400, 'invalid_type', 'nvext', /an object/],
  ['nvext unknown', ask({ nvext: { steps: 3 } }), 400, 'unknown_parameter', 'nvext.steps', /Unknown parameter: 'nvext.steps'/],
  ['unknown field', ask({ steps: 3 }), 400, 'unknown_parameter', 'steps', /'steps'. Known are prompt, model, n, .*num_inference_steps/],
  ['unknown field named like a method', '{"prompt":"a","constructor":1}', 400, 'unknown_parameter', 'constructor', /Known are/],
  ['a path of the server', ask({ perf_dump_path: '/etc/x' }), 400, 'unsupported_parameter', 'perf_dump_path', /cannot name files/],
  ['upscaling', ask({ enable_upscaling: true }), 400, 'unsupported_parameter', 'enable_upscaling', /larger size/],
  ['extra of a wrong type', ask({ true_cfg_scale: 'x' }), 400, 'invalid_type', 'true_cfg_scale', /a number/],
  ['an object of very many members', ask({ diffusers_kwargs: many(1_000_000) }), 400, 'invalid_value', 'diffusers_kwargs', /at most 10000/],
  ['many unknown fields', many(300_000), 400, 'invalid_value', null, /request body has too many members; at most 10000/],
  ['a device that is code', ask({ generator_device: 'cuda; rm' }), 400, 'invalid_value', 'generator_device', /letters, digits/],
  ['an image for a model without', ask({ input_reference: image }), 400, 'unsupported_parameter', 'input_reference', /takes no images/],
]

const editCases: Case[] = [
  ['no image', { prompt: 'a hat' }, 400, 'missing_parameter', 'image', /Missing required parameter: 'image'/],
  ['no prompt', { image }, 400, 'missing_parameter', 'prompt', /Missing/],
  ['image a number', edit({ image: 5 }), 400, 'invalid_type', 'image', /an address, base64, or an object/],
  ['image empty', edit({ image: ' ' }), 400, 'invalid_value', 'image', /must not be empty/],
  ['image of words', edit({ image: 'my cat' }), 400, 'invalid_value', 'image', /neither an address .* nor base64/],
  ['image an empty object', edit({ image: {} }), 400, 'missing_parameter', 'image.url', /Missing/],
  ['image of a file id', edit({ image: { file_id: 'f1' } }), 400, 'unsupported_parameter', 'image.file_id', /files are not kept/],
  ['address a number', edit({ images: [{ url: 1 }] }), 400, 'invalid_type', 'images[0].url', /a string/],
  ['image list empty', edit({ images: [] }), 400, 'invalid_value', 'images', /must not be empty/],
  ['too many images', edit({ images: Array(17).fill(image) }), 400, 'invalid_value', 'images', /17 items; at most 16/],
  ['too many in all', edit({ images: Array(16).fill(image) }), 400, 'invalid_value', 'image', /17 items; at most 16/],
  ['an image that cannot be read', edit({ image: 'https://elsewhere.test/' }), 400, 'invalid_image', 'image', /cannot be read/],
  ['a mask', edit({ mask: image }), 400, 'unsupported_parameter', 'mask', /cannot repaint a part/],
  ['markup', edit({ markup: image }), 400, 'unsupported_parameter', 'markup', /draw on the image/],
  ['size off the grid', edit({ size: '65x64' }), 400, 'invalid_value', 'size', /multiples of 16/],
]

const part = (head: string, body = 'x') => `--b\r\n${head}\r\n\r\n${body}\r\n`
const text = (name: string, value: string) => part(`Content-Disposition: form-data; name="${name}"`, value)
const file = (name: string, value = new TextDecoder('latin1').decode(pngHead(64, 64))) =>
  part(`Content-Disposition: form-data; name="${name}"; filename="a.png"\r\nContent-Type: image/png`, value)
const end = '--b--\r\n'
const whole = (...parts: string[]) => parts.join('') + end

const json = (name: string, value: string) => whole(text('prompt', 'a'), text(name, value), file('image'))
const deep = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`

const formCases: Case[] = [
  ['nothing', '', 400, 'invalid_form', null, /it is empty/],
  ['no end', text('prompt', 'a'), 400, 'invalid_form', null, /does not end with its boundary '--b--'/],
  ['JSON', '{"prompt":"a"}', 400, 'invalid_form', null, /does not end/],
  ['a part without a name', whole(part('Content-Disposition: form-data')), 400, 'invalid_form', null, /has no name/],
  ['a part without a head', whole(part('X: y')), 400, 'invalid_form', null, /has no name/],
  ['too many parts', whole(...Array(300).fill(text('a', 'b'))), 400, 'invalid_form', null, /300 parts; at most 256/],
  ['a flood of parts', whole(...Array(200_000).fill(text('a', 'b'))), 400, 'invalid_form', null, /200000 parts/],
  ['a long name', whole(text('n'.repeat(300), 'b')), 400, 'invalid_form', null, /300 characters; at most 256/],
  ['no parts', end, 400, 'missing_parameter', 'prompt', /Missing/],
  ['no image', whole(text('prompt', 'a')), 400, 'missing_parameter', 'image', /Missing/],
  ['an empty file', whole(text('prompt', 'a'), file('image', '')), 400, 'invalid_image', 'image', /'image' is empty/],
  ['a file that is no image', whole(text('prompt', 'a'), file('image', 'hello')), 400, 'invalid_image', 'image', /cannot be read/],
  ['a file elsewhere', whole(text('prompt', 'a'), file('picture')), 400, 'unknown_parameter', 'picture', /images go into 'image'/],
  ['a prompt file', whole(file('prompt'), file('image')), 400, 'invalid_type', 'prompt', /must be a text field .* without a filename/],
  ['a file in nvext', whole(text('prompt', 'a'), file('nvext[seed]'), file('image')), 400, 'invalid_type', 'nvext', /a text field/],
  [
    'deep JSON',
    json('diffusers_kwargs', deep(200)),
    400,
    'invalid_json',
    'diffusers_kwargs',
    /'diffusers_kwargs' is nested deeper than 128/,
  ],
  ['very deep JSON', json('nvext', deep(100_000)), 400, 'invalid_json', 'nvext', /nested deeper/],
  ['megabytes of brackets', json('diffusers_kwargs', '['.repeat(5_000_000)), 400, 'invalid_json', 'diffusers_kwargs', /nested deeper/],
  ['many members', json('diffusers_kwargs', JSON.stringify(many(20_000))), 400, 'invalid_value', 'diffusers_kwargs', /at most 10000/],
  ['too many files', whole(text('prompt', 'a'), ...Array(17).fill(file('image[]'))), 400, 'invalid_value', 'image', /at most 16/],
  ['n of words', whole(text('prompt', 'a'), text('n', 'two'), file('image')), 400, 'invalid_type', 'n', /a number, but got a string/],
  ['n empty', whole(text('prompt', 'a'), text('n', ''), file('image')), 400, 'invalid_type', 'n', /a number/],
  ['two prompts', whole(text('prompt', 'a'), text('prompt', 'b'), file('image')), 400, 'invalid_type', 'prompt', /but got an array/],
  ['unknown field', whole(text('prompt', 'a'), text('stepz', '1'), file('image')), 400, 'unknown_parameter', 'stepz', /Known are/],
  ['__proto__', whole(text('prompt', 'a'), text('__proto__', '{}'), file('image')), 400, 'unknown_parameter', '__proto__', /Known are/],
  [
    'nvext nested in a text',
    whole(text('nvext', 'x'), text('nvext[seed]', '1')),
    400,
    'invalid_type',
    'nvext',
    /an object, but got a string/,
  ],
  ['a mask', whole(text('prompt', 'a'), file('image'), file('mask')), 400, 'unsupported_parameter', 'mask', /cannot repaint/],
]

const plain = imagesApp()
const taking = imagesApp({ script: { info: { takesImages: true } } })
afterAll(async () => {
  await plain[Symbol.asyncDispose]()
  await taking[Symbol.asyncDispose]()
})

function table(what: string, app: typeof plain, path: string, cases: Case[], headers?: Record<string, string>): void {
  describe(what, () => {
    for (const [name, sent, status, code, param, message] of cases)
      test(name, async () => {
        const answer = await app.post(path, sent, headers === undefined ? {} : { headers })
        expect(answer.body.error).toEqual({ message: expect.stringMatching(message), type: 'invalid_request_error', param, code })
        expect(answer.status).toBe(status)
        expect(app.inFlight()).toBe(0)
        expect(app.media.requests).toHaveLength(0)
      })
  })
}

table('generations', plain, 'generations', generationCases)
table('edits', taking, 'edits', editCases)
table('edits by form', taking, 'edits', formCases, { 'content-type': 'multipart/form-data; boundary=b' })

test('a form without a boundary', async () => {
  const { status, body } = await taking.post('edits', 'x', { headers: { 'content-type': 'multipart/form-data' } })
  expect([status, body.error.code, body.error.message]).toEqual([400, 'invalid_form', expect.stringContaining('no boundary')])
})

test('a form where only JSON is taken, and neither of them', async () => {
  const form = { headers: { 'content-type': 'multipart/form-data; boundary=b' } }
  const one = await plain.post('generations', whole(text('prompt', 'a')), form)
  expect([one.status, one.body.error.message]).toEqual([415, expect.stringContaining('must be JSON:')])
  const other = await taking.post('edits', 'prompt=a', { headers: { 'content-type': 'application/x-www-form-urlencoded' } })
  expect([other.status, other.body.error.message]).toEqual([415, expect.stringContaining('must be JSON or multipart/form-data:')])
})

test('a form over the limit', async () => {
  await using app = imagesApp({ limits: { bodyBytes: 10_000 } })
  const body = new FormData()
  body.append('prompt', 'a')
  body.append('image', new Blob([new Uint8Array(20_000)]))
  const answer = await app.post('edits', body)
  expect([answer.status, answer.body.error.code]).toEqual([413, 'body_too_large'])
  const chunked = new ReadableStream({
    async pull(controller) {
      controller.enqueue(new Uint8Array(1000))
    },
  })
  const headers = { 'content-type': 'multipart/form-data; boundary=b' }
  const endless = await fetch(`${app.url}/v1/images/edits`, { method: 'POST', body: chunked, headers })
  expect(endless.status).toBe(413)
})

test('a form that does not come', async () => {
  await using app = imagesApp({ limits: { bodyMs: 50 } })
  const socket = await Bun.connect({
    hostname: '127.0.0.1',
    port: Number(new URL(app.url).port),
    socket: { data: (_, bytes) => answered(bytes) },
  })
  let answered: (bytes: Uint8Array) => void = () => {}
  const answer = new Promise<string>((resolve) => {
    answered = (bytes) => resolve(new TextDecoder().decode(bytes))
  })
  const head =
    'POST /v1/images/edits HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\ncontent-type: multipart/form-data; boundary=b\r\n\r\n--b\r\n'
  socket.write(head)
  expect(await answer).toStartWith('HTTP/1.1 408')
  socket.end()
})

test('unknown fields pass when the server is told so', async () => {
  await using app = imagesApp({ ignoreUnknownFields: true })
  const { status } = await app.post('generations', ask({ bogus: 1, nvext: { bogus: 2 } }))
  expect(status).toBe(200)
  expect(app.media.requests[0]!.extra).toEqual({})
})

test('a model that makes videos', async () => {
  await using app = imagesApp({ script: { info: { makes: 'video' } } })
  const { status, body } = await app.post('generations', ask({}))
  expect([status, body.error.param]).toEqual([404, 'model'])
})
