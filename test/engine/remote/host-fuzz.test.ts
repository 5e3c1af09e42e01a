// A worker under bytes that were damaged on purpose: it never throws, never runs wild, and its engine ends empty.
import { expect, test } from 'bun:test'
import { hostEngine } from '../../../src/engine/remote/host.ts'
import { encodeEmbed, encodeGenerate, encodeNamed, operations } from '../../../src/engine/remote/protocol.ts'
import { AppError } from '../../../src/lib/errors.ts'
import { log } from '../../../src/lib/log.ts'
import { Answerer } from '../../../src/transport/plane/answerer.ts'
import { frames } from '../../../src/transport/plane/frame.ts'
import { encodeHello, magic, newHello } from '../../../src/transport/plane/hello.ts'
import { OutBuffer } from '../../../src/transport/plane/out-buffer.ts'
import { requestOf, until } from '../../helpers/run-request.ts'
import { started } from '../mock/world.ts'

/** What an honest client sends: the greeting, then a little of everything. */
function session(): { bytes: Uint8Array; greeted: number } {
  const out = new OutBuffer()
  out.frame(frames.hello, magic, encodeHello(newHello(undefined, '')))
  out.frame(frames.proof, 0, undefined)
  const greeted = out.bytes
  out.frame(
    frames.open,
    1,
    encodeGenerate(requestOf([1, 2, 3], { max_new_tokens: 5, stop: ['x'] }, { logprobs: { top: 2, promptStart: 0 } })),
  )
  out.frame(frames.ping, 0, undefined)
  out.frame(frames.open, 2, encodeEmbed({ requestId: 'e', promptIds: Uint32Array.of(1, 2) }))
  out.frame(frames.open, 3, encodeNamed(operations.control, 'get_load', { a: [1, 'b', null] }))
  out.frame(frames.open, 4, encodeNamed(operations.call, 'card', {}))
  out.frame(frames.open, 5, encodeNamed(operations.metrics, '', {}))
  out.frame(frames.cancel, 1, undefined)
  let bytes = new Uint8Array(0)
  out.flush((all) => {
    bytes = all.slice()
    return all.length
  })
  return { bytes, greeted }
}

test('damaged sessions', async () => {
  const level = log.level
  log.level = 'silent'
  const mock = await started()
  const service = hostEngine(mock, { calls: { card: async () => ({ id: 1 }) } })
  let state = 7
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  const { bytes, greeted } = session()
  let closed = 0
  for (let round = 0; round < 3000; round++) {
    const damaged = bytes.slice()
    const from = round % 4 === 0 ? 0 : greeted
    for (let n = 1 + random(4); n > 0; n--) damaged[from + random(damaged.length - from)] = random(256)
    const cut = random(damaged.length)
    let over = false
    const link = { write: (all: Uint8Array) => all.length, end() {}, terminate() {} }
    const answerer = new Answerer(link, { service, instance: '', secret: undefined }, () => {
      over = true
    })
    answerer.channel.received(damaged.subarray(0, cut))
    answerer.channel.received(damaged.subarray(cut))
    if (round % 50 === 0) await Bun.sleep(0)
    if (over) closed++
    else answerer.channel.lost(newLoss)
  }
  log.level = level
  // About 500: the greeting has random parts, so the count is not always the same.
  expect(closed).toBeGreaterThan(300)
  await until('the engine is empty', () => mock.inFlight() === 0)
  await mock.stop(0)
})

const newLoss = new AppError('engine_unavailable', { message: 'over' })
