// A server of SGLang's kind that somebody else runs, here our own gateway: the same questions, the same frames.
import { expect, test } from 'bun:test'
import { type Gateway, startGateway } from '../../../../src/engine/vision/gateway/gateway.ts'
import { itemReader } from '../../../../src/engine/vision/gateway/items.ts'
import { mockEncoder } from '../../../../src/engine/vision/mock/encoder.ts'
import { sglangEncoder } from '../../../../src/engine/vision/sglang/encoder.ts'
import { defaultPolicy } from '../../../../src/media/input/policy.ts'
import { gridModel, noisePicture, tinyVl } from '../../../helpers/vision.ts'
import { visionSuite } from '../../../suites/vision.suite.ts'

const never = new AbortController().signal
const [first, second] = [await noisePicture(1, 112, 84), await noisePicture(2, 196, 140)]
const model = gridModel()

async function server(port = 0): Promise<Gateway> {
  const encoder = mockEncoder({ modelPath: tinyVl, dim: 16, type: 'bfloat16', msPerPicture: 5 })
  await encoder.start()
  return startGateway({ encoder, hostname: '127.0.0.1', port, read: itemReader({ policy: defaultPolicy, model }) })
}

const suites = await server()
visionSuite('an encoder server by its address', () => sglangEncoder({ modelPath: tinyVl, server: { url: suites.url } }), {
  pictures: [first, second, await noisePicture(3, 84, 140)],
  broken: { ...first, file: new TextEncoder().encode('a poem, no picture'), hash: 'x' },
  more(encoder) {
    test('it has learnt what rows are like', () => {
      expect(encoder().info).toMatchObject({ modelPath: tinyVl, dim: 16, type: 'bfloat16', patchesPerRow: 4 })
    })
  },
})
test('the server of the suite ends', () => suites.close())

test('one that is not there yet is waited for; one that goes fails its pictures and serves again when it is back', async () => {
  const probe = await server()
  const port = Number(new URL(probe.url).port)
  await probe.close()
  const took: number[] = []
  const encoder = sglangEncoder({
    modelPath: tinyVl,
    server: { url: `http://127.0.0.1:${port}` },
    observe: (ms) => took.push(ms),
  })
  const states: boolean[] = []
  encoder.on(({ ready }) => states.push(ready))
  const starting = encoder.start()
  const one = await server(port)
  await starting
  expect((await encoder.encode(first, never)).rows).toBe(12)
  await one.close()
  await expect(encoder.encode(first, never)).rejects.toMatchObject({ code: 'engine_unavailable' })
  const two = await server(port)
  while (!encoder.ready) await Bun.sleep(20)
  expect((await encoder.encode(second, never)).rows).toBe(35)
  expect(states).toEqual([true, false, true])
  expect(took.map((ms) => ms > 0)).toEqual([true, true])
  await encoder.stop()
  await two.close()
}, 20_000)

test('one that pushes to tokenizers wants its port as one number, and is asked so from then on', async () => {
  const behind = await server()
  const asked: unknown[] = []
  const picky = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      const { pathname } = new URL(request.url)
      if (pathname === '/health') return new Response('')
      const body = (await request.json()) as { embedding_port: unknown }
      asked.push(Array.isArray(body.embedding_port))
      if (Array.isArray(body.embedding_port)) return Response.json({ status: 'error', message: 'bad port' }, { status: 500 })
      return fetch(`${behind.url}${pathname}`, { method: 'POST', body: JSON.stringify(body) })
    },
  })
  const encoder = sglangEncoder({ modelPath: tinyVl, server: { url: `http://127.0.0.1:${picky.port}/` } })
  await encoder.start()
  expect((await encoder.encode(first, never)).rows).toBe(12)
  expect(asked).toEqual([true, false, false, false, false])
  await encoder.stop()
  await picky.stop(true)
  await behind.close()
}, 20_000)
