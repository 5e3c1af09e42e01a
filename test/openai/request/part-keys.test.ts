// Wishes in picture and clip parts: known ones pass, others are refused by name and never dropped.
import { expect, test } from 'bun:test'
import { testApp } from '../../helpers/fakes/app.ts'

const [strict, lenient] = [testApp(), testApp({ ignoreUnknownFields: true })]
const at = 'messages[0].content[1]'
const asked = (app: typeof strict, part: object, extra: object = {}) =>
  app.post('/v1/chat/completions', { model: 'tiny', messages: [{ role: 'user', content: [{ type: 'text', text: 'a' }, part] }], ...extra })
const picture = (inside: object, outside: object = {}) => ({ type: 'image_url', image_url: { url: 'data:,', ...inside }, ...outside })
const clip = (inside: object, outside: object = {}) => ({ type: 'video_url', video_url: { url: 'data:,', ...inside }, ...outside })

test.each([
  [picture({}, { max_pixels: 100_000 }), {}, `${at}.max_pixels`],
  [picture({ min_pixels: 100 }), {}, `${at}.image_url.min_pixels`],
  [picture({ max_dynamic_patch: 4 }), {}, `${at}.image_url.max_dynamic_patch`],
  [picture({}, { modalities: 'multi-images' }), {}, `${at}.modalities`],
  [{ type: 'input_image', image_url: 'data:,', fps: 2 }, {}, `${at}.fps`],
  [clip({ numframes: 10 }), {}, `${at}.video_url.numframes`],
  [clip({}, { detail: 'low' }), {}, `${at}.detail`],
  [clip({}, { constructor: 1 }), {}, `${at}.constructor`],
  [{ type: 'video', video: ['data:,'], total_pixels: 5 }, {}, `${at}.total_pixels`],
  [clip({}), { media_io_kwargs: { video: { numframes: 10 } } }, 'media_io_kwargs.video.numframes'],
  [clip({}), { media_io_kwargs: { image: {} } }, 'media_io_kwargs.image'],
])('%j %j is refused by name, and let pass where the server is told so', async (part, extra, param) => {
  const { status, body } = await asked(strict, part, extra)
  expect([status, body.error]).toEqual([400, expect.objectContaining({ code: 'unknown_parameter', param })])
  expect(body.error.message).toContain(param)
  expect((await asked(lenient, part, extra)).status).toBe(200)
})

test.each([
  [picture({ detail: 'low' }, { uuid: '1', cache_control: { type: 'ephemeral' }, name: 'a', text: null, modalities: 'image' })],
  [picture({ uuid: '1', content_hash: 'a' }, { detail: 'high' })],
  [clip({ fps: 2, max_frames: 8, detail: 'auto' }, { uuid: '1' })],
  [{ type: 'video', video: ['data:,'], fps: 2, id: 'a' }],
  [{ type: 'image_url', image_url: 'data:,' }],
])('%j passes', async (part) => {
  expect((await asked(strict, part)).status).toBe(200)
})

const image = { url: 'data:,' }
test.each([
  [{ images: ['aGk='] }, 'messages[0].images'],
  [{ image: 'aGk=' }, 'messages[0].image'],
  [{ image_url: image }, 'messages[0].image_url'],
  [{ video_url: image, content: [{ type: 'text', text: 'a' }] }, 'messages[0].video_url'],
  [{ input_audio: { data: 'a', format: 'wav' } }, 'messages[0].input_audio'],
  [{ audio: { id: 'a' } }, 'messages[0].audio'],
  [{ role: 'tool', tool_call_id: '1', images: ['aGk='] }, 'messages[0].images'],
  [{ content: [{ type: 'text', text: 'a', image_url: image }] }, 'messages[0].content[0].image_url'],
  [{ content: [{ type: 'text', text: 'a', image: 'x' }] }, 'messages[0].content[0].image'],
  [{ content: [{ type: 'audio_url', audio_url: image, image_url: image }] }, 'messages[0].content[0].image_url'],
])('%j has something to see or hear where nobody looks: refused by name', async (message, param) => {
  const body = { model: 'tiny', messages: [{ role: 'user', content: 'a', ...message }] }
  const answer = await strict.post('/v1/chat/completions', body)
  expect([answer.status, answer.body.error]).toEqual([400, expect.objectContaining({ code: 'unknown_parameter', param })])
  expect((await lenient.post('/v1/chat/completions', body)).status).toBe(200)
})

test('members that bring nothing, and those that only templates know, pass', async () => {
  const text = { type: 'text', text: 'a', image_url: null, images: [], cache_control: {} }
  const messages: object[] = [
    { role: 'user', content: [text], images: [], image_url: null, prefix: true, constructor: 1 },
    { role: 'assistant', content: 'a', audio: null, reasoning_content: 'b' },
    {
      role: 'user',
      content: [
        { type: 'input_audio', input_audio: { data: 'aGk=' } },
        { type: 'audio_url', audio_url: image },
      ],
    },
  ]
  expect((await strict.post('/v1/chat/completions', { model: 'tiny', messages })).status).toBe(200)
})

test('/tokenize refuses them as well', async () => {
  const messages = [{ role: 'user', content: [picture({}, { max_pixels: 1 })] }]
  expect((await strict.post('/tokenize', { model: 'tiny', messages })).body.error.param).toBe('messages[0].content[0].max_pixels')
})
