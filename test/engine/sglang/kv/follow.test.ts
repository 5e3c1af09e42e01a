// The order of KV events: live ones, replayed ones, gaps. Frames as SGLang 0.5.23 sent them (test/fixtures/kv-events, in hex).
import { afterEach, expect, test } from 'bun:test'
import { kvDecoder } from '../../../../src/engine/sglang/kv/decode.ts'
import { createOrder, followKvEvents } from '../../../../src/engine/sglang/kv/follow.ts'
import type { KvChange } from '../../../../src/engine/types.ts'
import { encode } from '../../../../src/transport/msgpack.ts'
import { bindSocket } from '../../../../src/transport/zmtp/sockets.ts'
import { captured } from './captured.ts'

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

const cleared = encode([0, [{ type: 'AllBlocksCleared' }], 0])

/** What a listener heard: seq numbers, `lost a-b`, and how often a replay was asked for. */
function heard() {
  const log: string[] = []
  const listener = {
    changes: (seq: number, changes: KvChange[]) => log.push(`${seq}${changes.length ? '' : ' none'}`),
    lost: (from: number, to: number) => log.push(`lost ${from}-${to}`),
  }
  const order = createOrder(listener as never, kvDecoder(16), () => log.push('ask'))
  return { log, order }
}

test('live messages wait for the first replay, doubles are dropped', () => {
  const { log, order } = heard()
  order.connected()
  order.live(2, cleared)
  order.old(0, cleared)
  order.old(1, cleared)
  order.old(2, cleared)
  order.live(3, cleared)
  order.replayed()
  order.live(4, cleared)
  order.live(4, cleared)
  expect(log).toEqual(['0', '1', '2', '3', '4'])
})

test('a gap is asked for, and told when it cannot be filled', () => {
  const { log, order } = heard()
  order.replayed()
  order.live(0, cleared)
  order.live(3, cleared)
  order.live(4, cleared)
  order.old(1, cleared)
  order.replayed()
  expect(log).toEqual(['0', 'ask', '1', 'lost 2-3', '3', '4'])
})

test('a publisher that starts over clears what was known', () => {
  const { log, order } = heard()
  order.replayed()
  order.connected()
  order.live(0, cleared)
  order.live(1, cleared)
  order.connected()
  order.live(0, cleared)
  expect(log).toEqual(['0', '1', '0', '0'])
})

test('a late listener gets what it missed from the replay socket, then the live ones', async () => {
  const old = captured('replay.jsonl')
  const router = bindSocket({
    type: 'ROUTER',
    endpoint: 'tcp://127.0.0.1:0',
    onMessage: (parts, from) => {
      expect(parts.map((part) => part.length)).toEqual([0, 8])
      for (const message of old) from.send(message)
    },
  })
  const pub = bindSocket({ type: 'PUB', endpoint: 'tcp://127.0.0.1:0' })
  const seen: number[] = []
  let kinds: string[] = []
  const follow = followKvEvents(
    { rank: 0, endpoint: pub.endpoint, replayEndpoint: router.endpoint, topic: 'kv-events', blockSize: 16 },
    {
      changes: (seq, changes) => {
        seen.push(seq)
        kinds = [...kinds, ...changes.map((change) => change.kind)]
      },
      lost: () => seen.push(-1),
    },
  )
  closing.push(() => [follow, pub, router].map((one) => one.close()))
  while (pub.peers[0]?.topics.length !== 1 || seen.length < 5) await Bun.sleep(2)
  const [topic, , payload] = captured('live.jsonl')[3]!
  pub.send([topic!, new Uint8Array([0, 0, 0, 0, 0, 0, 0, 5]), payload!])
  while (seen.length < 6) await Bun.sleep(2)
  expect(seen).toEqual([0, 1, 2, 3, 4, 5])
  expect(kinds).toEqual(['cleared', 'stored', 'stored', 'stored', 'stored', 'stored'])
})
