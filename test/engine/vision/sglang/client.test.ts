// What an encoder's refusals become for the client: by whose fault it is, in SGLang's words, without the file.
import { afterAll, expect, test } from 'bun:test'
import { EncoderClient, type Medium } from '../../../../src/engine/vision/sglang/client.ts'

let answer: { status: number; message: string } = { status: 200, message: '' }
const asked: { req_id: string; modality: string; mm_items: string[] }[] = []
const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  async fetch(request) {
    const body = (await request.json()) as (typeof asked)[number]
    asked.push(body)
    const message = answer.message.replace('FILE', body.mm_items[0]!)
    return Response.json({ status: 'error', message }, { status: answer.status })
  },
})
const client = new EncoderClient({ url: server.url.href, receiveHost: '127.0.0.1' })
afterAll(async () => {
  client.close()
  await server.stop(true)
})

const file = new Uint8Array(100)
const picture: Medium = { modality: 'IMAGE', file, contentType: 'image/png' }
const clip: Medium = { modality: 'VIDEO', file, contentType: 'video/x-msvideo' }
const refusal = async (medium: Medium, status: number, message: string) => {
  answer = { status, message }
  const frame = client.encode(medium, 'zmq_to_scheduler', new AbortController().signal)
  return frame.then(
    () => ['none', ''],
    (error) => [error.code, error.message],
  )
}

test('a server that several processes share hears no name twice, also of containers where every process has the same number', async () => {
  const names: string[] = []
  for (const life of ['one', 'another']) {
    // A module of its own, as another process has it.
    const { EncoderClient: Client } = (await import(`../../../../src/engine/vision/sglang/client.ts?${life}`)) as {
      EncoderClient: typeof EncoderClient
    }
    const other = new Client({ url: server.url.href, receiveHost: '127.0.0.1' })
    answer = { status: 500, message: 'no' }
    for (let i = 0; i < 3; i++) await other.encode(picture, 'zmq_to_scheduler', new AbortController().signal).catch(() => {})
    other.close()
    names.push(...asked.slice(-3).map(({ req_id }) => req_id))
  }
  expect(new Set(names).size).toBe(6)
})

test('a clip is asked for as one', async () => {
  await refusal(clip, 400, 'Error while loading data FILE: moov atom not found')
  expect(asked.at(-1)).toMatchObject({ modality: 'VIDEO', mm_items: [expect.stringMatching(/^data:video\/x-msvideo;base64,AAAA/)] })
})

test.each([
  ['picture', 400, 'loading data FILE: cannot identify', 'invalid_image', 'refused the picture: loading data data:…: cannot identify'],
  ['clip', 400, 'Could not decode video', 'invalid_image', 'refused the clip: Could not decode video'],
  ['picture', 500, 'out of memory', 'engine_failed', 'failed: out of memory'],
  ['picture', 503, 'all workers dead', 'engine_unavailable', 'failed: all workers dead'],
])('a %s that is answered with %d "%s" is %s', async (kind, status, message, code, told) => {
  expect(await refusal(kind === 'clip' ? clip : picture, status, message)).toEqual([code, `SGLang's encoder ${told}`])
})

test.each([
  "Error while loading data FILE: No module named 'decord'",
  'Video processing is not supported for qwen2_vl model.',
  'No video processor available',
])('one that cannot read clips is not at fault, nor is the clip: %s', async (message) => {
  const [code, told] = await refusal(clip, 500, message)
  expect(code).toBe('unsupported_parameter')
  expect(told).toStartWith("SGLang's encoder takes no clips here (it needs torchcodec): ")
  expect(told).not.toContain('AAAA')
})
