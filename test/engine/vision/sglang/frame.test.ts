// What SGLang's encoder pushes, read without running any of it.
import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { errorFrame, rowsFrame } from '../../../../src/engine/vision/gateway/frame.ts'
import { readEncoderFrame } from '../../../../src/engine/vision/sglang/frame.ts'
import { writePickle } from '../../../../src/transport/pickle/write.ts'

const recorded = async (name: string) =>
  new Uint8Array(await Bun.file(join(import.meta.dir, '../../../fixtures/vision-split', name)).arrayBuffer())
const part = { reqId: 'r_local_part_0', numParts: 1, partIdx: 0, modality: 'IMAGE' as const }

test('rows of two pictures as a live 0.5.23 pushed them: the grid is a tensor', async () => {
  const bytes = new Uint8Array(47 * 64 * 4)
  const grids = [
    [1, 6, 8],
    [1, 10, 14],
  ]
  expect(readEncoderFrame([await recorded('sglang-0.5.23-two.bin'), bytes])).toEqual({
    ...{ reqId: 't1795237190474007195_local_part_0', grids: grids as never, type: 'float32', rows: 47, dim: 64, bytes },
  })
})

test('grids of pictures that were encoded together are parts of one tensor', async () => {
  // The recorded frame, its grid told as the second row of the two: offset 3, size [1, 3].
  const two = await recorded('sglang-0.5.23-two.bin')
  const text = Buffer.from(two).toString('latin1')
  const at = text.indexOf('K\x00K\x02K\x03\x86\x94K\x03K\x01\x86')
  expect(at).toBeGreaterThan(0)
  const one = two.slice()
  one[at + 1] = 3
  one[at + 3] = 1
  const frame = readEncoderFrame([one, new Uint8Array(47 * 64 * 4)])
  expect(frame).toMatchObject({ grids: [[1, 10, 14]] })
  one[at + 1] = 4
  expect(() => readEncoderFrame([one, new Uint8Array(47 * 64 * 4)])).toThrow('a grid of another length')
})

test('an older Python names its enums in another way', async () => {
  const frame = readEncoderFrame([await recorded('sglang-0.5.23-python-3.11.2.bin'), new Uint8Array(12 * 4 * 4)])
  expect(frame).toMatchObject({ reqId: 'r_local_part_0', grids: [[1, 6, 8]], type: 'float32', rows: 12, dim: 4 })
})

test('its failure', async () => {
  const failure = readEncoderFrame([await recorded('sglang-0.5.23-error.bin')])
  expect(failure).toMatchObject({ code: 400, error: expect.stringContaining('Could not decode image') })
})

test('our own frames, of the releases since 0.5.19', () => {
  const rows = { grids: [[1, 6, 8]] as const, type: 'bfloat16' as const, rows: 12, dim: 8 }
  for (const release of ['0.5.19', '0.5.23'] as const) {
    const frame = readEncoderFrame([rowsFrame(part, rows, release), new Uint8Array(12 * 8 * 2)])
    expect(frame).toMatchObject({ reqId: part.reqId, grids: [[1, 6, 8]], type: 'bfloat16', rows: 12, dim: 8 })
    expect(readEncoderFrame([errorFrame(part, 'no', 500, release)])).toEqual({ reqId: part.reqId, error: 'no', code: 500 })
  }
})

test('another size of rows, another type, other things are refused', async () => {
  const two = await recorded('sglang-0.5.23-two.bin')
  expect(() => readEncoderFrame([two, new Uint8Array(5)])).toThrow('not the bytes of its shape')
  expect(() => readEncoderFrame([two])).toThrow('not the bytes of its shape')
  expect(() => readEncoderFrame([writePickle([1, 2])])).toThrow('no EmbeddingData')
  const data = { module: 'sglang.srt.disaggregation.encoder.receiver', name: 'EmbeddingData' }
  const state = (more: object) => writePickle({ object: data, state: { req_id: 'x', error_msg: null, shape: [1, 1], ...more } })
  expect(() => readEncoderFrame([state({ dtype: { module: 'torch', name: 'float64' } })])).toThrow(
    'torch.float64, which is not on the list',
  )
  expect(() => readEncoderFrame([state({ dtype: { module: 'torch', name: 'float32' }, grid_dim: null }), new Uint8Array(4)])).toThrow(
    'no grid',
  )
  expect(() => readEncoderFrame([state({ dtype: { module: 'torch', name: 'float32' }, grid_dim: [[1, 2]] }), new Uint8Array(4)])).toThrow(
    'no grid',
  )
  for (let end = 0; end < two.length; end += 7) expect(() => readEncoderFrame([two.subarray(0, end)])).toThrow()
})
