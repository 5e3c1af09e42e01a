import { expect, test } from 'bun:test'
import { readWorkerCard } from '../../../src/engine/remote/card.ts'

const model = { names: ['m'], path: '/m', files: {}, contextLength: 8192, isEmbedding: false, engineTokenizes: false }
const info = {
  contextLength: 8192,
  blockSize: 16,
  dpSize: 2,
  totalKvTokens: 65536,
  maxRunningRequests: 64,
  vocabSize: 1024,
  role: 'aggregated',
}
const body = { id: 'w', endpoint: 'dyn://a.b.c', address: 'tcp://10.0.0.5:5900', events: 'zmq://10.0.0.5:5901', model, info }

test('a whole card is read as it is', () => {
  expect(readWorkerCard(body) as unknown).toEqual(body)
})

test.each([
  ['address', { ...body, address: 7 }],
  ['model.names', { ...body, model: { ...model, names: [] } }],
  ['model.files', { ...body, model: { ...model, files: null } }],
  ['info.role', { ...body, info: { ...info, role: 'cook' } }],
  // Each of these would stop a router, and with it the workers beside this one.
  ['info.blockSize', { ...body, info: { ...info, blockSize: 0 } }],
  ['info.dpSize', { ...body, info: { ...info, dpSize: 1e9 } }],
  ['info.dpSize', { ...body, info: { ...info, dpSize: -1 } }],
  ['info.dpSize', { ...body, info: { ...info, dpSize: 1.5 } }],
  ['info.contextLength', { ...body, info: { ...info, contextLength: null } }],
  ['info.contextLength', { ...body, info: undefined }],
])('a card without a usable %s is refused by that name', (what, card) => {
  expect(() => readWorkerCard(card)).toThrow(`no usable ${what};`)
})
