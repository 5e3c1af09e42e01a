// What a client of /v1/videos gets for each kind of mistake: status, code, the parameter's path, and a message that says what to do.
import { describe, expect, test } from 'bun:test'
import { AppError } from '../../../src/lib/errors.ts'
import { pngHead } from '../../helpers/fakes/image-input.ts'
import { videosApp } from '../../helpers/fakes/videos-app.ts'

type Case = [name: string, body: unknown, status: number, code: string, param: string | null, message: RegExp]

const cat = (more: object) => ({ prompt: 'a cat', ...more })

const cases: Case[] = [
  ['empty body', '', 400, 'invalid_json', null, /empty/],
  ['an array', '[]', 400, 'invalid_type', null, /JSON object/],
  ['no prompt', { model: 'filmer' }, 400, 'missing_parameter', 'prompt', /Missing required parameter: 'prompt'/],
  ['prompt empty', { prompt: '' }, 400, 'invalid_value', 'prompt', /must not be empty/],
  ['prompt a list', { prompt: ['a', 'b'] }, 400, 'invalid_type', 'prompt', /expected a string, but got an array/],
  ['prompt too long', { prompt: 'x'.repeat(40_000) }, 400, 'invalid_value', 'prompt', /at most 32768 characters/],
  ['unknown field', cat({ colour: 'red' }), 400, 'unknown_parameter', 'colour', /Unknown parameter: 'colour'/],
  ['unknown field in nvext', cat({ nvext: { frames: 5 } }), 400, 'unknown_parameter', 'nvext.frames', /nvext\.frames/],
  ['unknown model', cat({ model: 'sora-2' }), 404, 'model_not_found', 'model', /sora-2/],
  ['4k frames', cat({ num_frames: 96 }), 400, 'invalid_value', 'num_frames', /multiple of 4 plus one.*nearest to 96 are 93 and 97/],
  ['4k+2 frames in nvext', cat({ nvext: { num_frames: 18 } }), 400, 'invalid_value', 'nvext.num_frames', /nearest to 18 are 17 and 21/],
  ['2 frames', cat({ num_frames: 2 }), 400, 'invalid_value', 'num_frames', /are 1 and 5/],
  ['0 frames', cat({ num_frames: 0 }), 400, 'invalid_value', 'num_frames', /at least 1/],
  ['half a frame', cat({ num_frames: 16.5 }), 400, 'invalid_type', 'num_frames', /an integer/],
  ['no size', cat({ size: 'big' }), 400, 'invalid_value', 'size', /WIDTHxHEIGHT/],
  ['a size with signs', cat({ size: '-832x480' }), 400, 'invalid_value', 'size', /WIDTHxHEIGHT/],
  ['a size off the grid', cat({ size: '830x480' }), 400, 'invalid_value', 'size', /multiples of 16.*nearest is 832x480/],
  ['no height', cat({ width: 832 }), 400, 'invalid_value', 'width', /'height' must stand beside it/],
  ['too many pixels', cat({ size: '16384x16384' }), 400, 'invalid_value', 'size', /at most 16777216/],
  [
    'too many frames of them',
    cat({ size: '1920x1088', num_frames: 241 }),
    400,
    'invalid_value',
    'num_frames',
    /at most 268435456.*128 frames/,
  ],
  [
    'too many pixels for any clip',
    cat({ size: '4096x4096' }),
    400,
    'invalid_value',
    'size',
    /81 frames of 4096x4096.*: 16 frames of that size/,
  ],
  ['whatever its length', cat({ size: '4096x4096', num_frames: 241 }), 400, 'invalid_value', 'size', /: 16 frames/],
  ['however few frames', cat({ size: '4096x4096', num_frames: 17 }), 400, 'invalid_value', 'size', /: 16 frames/],
  ['as two sides', cat({ width: 2048, height: 8192 }), 400, 'invalid_value', 'height', /: 16 frames/],
  ['of a side too large', cat({ width: 16384, height: 2048 }), 400, 'invalid_value', 'width', /at most 16777216/],
  ['of several clips', cat({ size: '4096x4096', n: 2 }), 400, 'invalid_value', 'size', /2 clips of 81 frames/],
  ['too many frames of the model’s own size', cat({ num_frames: 961 }), 400, 'invalid_value', 'num_frames', /: 672 frames/],
  ['too many frames in nvext', cat({ nvext: { num_frames: 961 } }), 400, 'invalid_value', 'nvext.num_frames', /: 672 frames/],
  ['too many seconds of them', cat({ seconds: 3000 }), 400, 'invalid_value', 'seconds', /672 frames of that size/],
  ['too many clips of them', cat({ n: 10 }), 400, 'invalid_value', 'n', /10 clips of 81 frames.*: 67 frames/],
  ['no seconds', cat({ seconds: 0 }), 400, 'invalid_value', 'seconds', /greater than 0/],
  ['no seconds as a text', cat({ seconds: '0' }), 400, 'invalid_value', 'seconds', /greater than 0/],
  ['seconds in words', cat({ seconds: 'four' }), 400, 'invalid_value', 'seconds', /number of seconds/],
  ['seconds a list', cat({ seconds: [4] }), 400, 'invalid_type', 'seconds', /a number or a string/],
  ['fps 0', cat({ fps: 0 }), 400, 'invalid_value', 'fps', /at least 1/],
  ['n 0', cat({ n: 0 }), 400, 'invalid_value', 'n', /at least 1/],
  ['n 11', cat({ n: 11 }), 400, 'invalid_value', 'n', /at most 10/],
  ['negative seed', cat({ seed: -1 }), 400, 'invalid_value', 'seed', /at least 0/],
  ['guidance in words', cat({ guidance_scale: 'high' }), 400, 'invalid_type', 'guidance_scale', /a number/],
  ['no steps', cat({ nvext: { num_inference_steps: 0 } }), 400, 'invalid_value', 'nvext.num_inference_steps', /at least 1/],
  ['another format', cat({ output_format: 'gif' }), 400, 'invalid_value', 'output_format', /'mp4'/],
  ['another place', cat({ response_format: 'file' }), 400, 'invalid_value', 'response_format', /'url', 'b64_json'/],
  ['upscaling', cat({ enable_upscaling: true }), 400, 'unsupported_parameter', 'enable_upscaling', /not upscaled/],
  ['previews without a stream', cat({ partial_images: 2 }), 400, 'invalid_value', 'partial_images', /only for 'stream'/],
  ['a stream of a job', cat({ stream: true, background: true }), 400, 'invalid_value', 'background', /either/],
  ['a stored file', cat({ input_reference: { file_id: 'file-1' } }), 400, 'unsupported_parameter', 'input_reference.file_id', /not kept/],
  ['an empty object', cat({ input_reference: {} }), 400, 'missing_parameter', 'input_reference.url', /Missing/],
  ['no image', cat({ input_reference: 'hello' }), 400, 'invalid_value', 'input_reference', /neither an address/],
  ['a broken image', cat({ reference_url: 'data:image/png;base64,AAAA' }), 400, 'invalid_image', 'reference_url', /cannot be read/],
  [
    'two images',
    cat({ input_reference: 'https://a.test/1', reference_url: 'https://a.test/2' }),
    400,
    'invalid_value',
    'input_reference',
    /several/,
  ],
]

describe.each(['', '/stream'])('POST /v1/videos%s', (path) => {
  test.each(cases)('%s', async (_name, body, status, code, param, message) => {
    await using app = videosApp()
    const answer = await app.send('POST', path, body)
    expect([answer.status, answer.body.error?.code, answer.body.error?.param]).toEqual([status, code, param])
    expect(answer.body.error.message).toMatch(message)
    expect([app.clips.requests.length, app.inFlight()]).toEqual([0, 0])
  })
})

describe('forms', () => {
  const file = () => new File([pngHead(64, 64)], '../x.png', { type: 'image/png' })
  const form = (fields: Record<string, string | File>) => {
    const made = new FormData()
    for (const [name, value] of Object.entries({ prompt: 'a cat', ...fields })) made.append(name, value)
    return made
  }
  test.each<[string, Record<string, string | File>, number, string, string | null, RegExp]>([
    ['seconds in words', { seconds: 'four' }, 400, 'invalid_value', 'seconds', /number of seconds/],
    ['frames in words', { num_frames: 'many' }, 400, 'invalid_type', 'num_frames', /a number, but got a string/],
    ['unknown field', { colour: 'red' }, 400, 'unknown_parameter', 'colour', /Unknown/],
    ['a prompt file', { prompt: file() }, 400, 'invalid_type', 'prompt', /must be a text field of the form, but it is a file/],
    ['deep JSON', { metadata: '['.repeat(5_000_000) }, 400, 'invalid_json', 'metadata', /'metadata' is nested deeper than 128/],
    ['unknown file', { image: file() }, 400, 'unknown_parameter', 'image', /Unknown/],
    ['an image twice', { input_reference: file(), reference_url: 'https://a.test/2' }, 400, 'invalid_value', 'input_reference', /several/],
    ['a broken image', { input_reference: new File(['GIF?'], 'x.gif') }, 400, 'invalid_image', 'input_reference', /cannot be read/],
    ['a name that means something to JavaScript', { '__proto__[seed]': '1' }, 400, 'unknown_parameter', '__proto__', /Unknown/],
    ['an nvext of wrong members', { 'nvext[num_frames]': '18' }, 400, 'invalid_value', 'nvext.num_frames', /17 and 21/],
    ['an nvext that is no JSON', { nvext: '{' }, 400, 'invalid_type', 'nvext', /an object, but got a string/],
  ])('%s', async (_name, fields, status, code, param, message) => {
    await using app = videosApp()
    const answer = await app.post(form(fields))
    expect([answer.status, answer.body.error?.code, answer.body.error?.param]).toEqual([status, code, param])
    expect(answer.body.error.message).toMatch(message)
    expect(app.jobs.list({ limit: 9, order: 'asc' }).jobs).toEqual([])
  })
})

describe('questions about jobs', () => {
  test.each<[string, string, number, string, string | null]>([
    ['GET', '/video_none', 404, 'media_not_found', null],
    ['DELETE', '/video_none', 404, 'media_not_found', null],
    ['POST', '/video_none/cancel', 404, 'media_not_found', null],
    ['GET', '/video_none/content', 404, 'media_not_found', null],
    ['GET', '/..%2f..%2fetc%2fpasswd/content', 404, 'media_not_found', null],
    ['GET', '/video_none/content?variant=thumbnail', 400, 'invalid_value', 'variant'],
    ['GET', '/video_none/content?index=-1', 400, 'invalid_value', 'index'],
    ['GET', '?limit=0', 400, 'invalid_value', 'limit'],
    ['GET', '?limit=101', 400, 'invalid_value', 'limit'],
    ['GET', '?limit=ten', 400, 'invalid_value', 'limit'],
    ['GET', '?order=up', 400, 'invalid_value', 'order'],
    ['GET', '?after=video_none', 400, 'invalid_value', 'after'],
    ['POST', '/video_none/remix', 400, 'unsupported_parameter', null],
  ])('%s %s', async (method, path, status, code, param) => {
    await using app = videosApp()
    const answer = await app.send(method, path)
    expect([answer.status, answer.body.error?.code, answer.body.error?.param]).toEqual([status, code, param])
  })
})

test('unknown fields pass where the server was told to ignore them', async () => {
  await using app = videosApp({ ignoreUnknownFields: true })
  expect((await app.post(cat({ colour: 'red', nvext: { frames: 5 } }))).status).toBe(200)
})

test('a job that the engine refuses later says so in the job', async () => {
  await using app = videosApp({ script: { fail: { after: 0, error: new AppError('engine_rejected', { message: 'No such size.' }) } } })
  const { status, body } = await app.post(cat({ background: true }))
  expect([status, body.status]).toEqual([200, 'queued'])
  while ((await app.send('GET', `/${body.id}`)).body.status === 'queued') await Bun.sleep(1)
  expect((await app.send('GET', `/${body.id}`)).body).toMatchObject({
    status: 'failed',
    error: { code: 'engine_rejected', message: 'No such size.' },
  })
})
