import { expect, test } from 'bun:test'
import { type FromProcess, frame, messages } from '../../../../src/engine/vision/onnx/messages.ts'

const failed = (id: number): FromProcess => ({ kind: 'failed', id, code: 'engine_failed', message: `ü ${id}` })
const sent = [failed(1), failed(2), failed(3)]
const wire = Buffer.concat([
  ...frame(sent[0]!),
  ...frame(sent[1]!, [Uint8Array.of(1, 2), Uint8Array.of(3)]),
  ...frame(sent[2]!, [new Uint8Array(300)]),
])

async function* inPieces(bytes: Uint8Array, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function all(stream: AsyncIterable<Uint8Array>) {
  const heard: { head: FromProcess; body: number[] }[] = []
  for await (const { head, body } of messages<FromProcess>(stream)) heard.push({ head, body: [...body] })
  return heard
}

test.each([1, 2, 7, 64, wire.length])('messages come out as they went in, in pieces of %d bytes', async (size) => {
  const heard = await all(inPieces(wire, size))
  expect(heard.map(({ head }) => head)).toEqual(sent)
  expect(heard.map(({ body }) => body.length)).toEqual([0, 3, 300])
  expect(heard[1]!.body).toEqual([1, 2, 3])
})

test('a message cut off is not told', async () => expect((await all(inPieces(wire.subarray(0, -1), 50))).length).toBe(2))

test('noise is an error, not a wait for gigabytes', async () => {
  await expect(all(inPieces(new TextEncoder().encode('Segmentation fault'), 50))).rejects.toThrow('a head of')
})
