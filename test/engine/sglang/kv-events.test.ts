// KV events as SGLang 0.5.23 sent them (test/fixtures/kv-events, frames in hex), and in the older array encoding.
import { afterEach, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createOrder, decodeKvEvents, followKvEvents } from '../../../src/engine/sglang/kv-events.ts'
import type { KvChange } from '../../../src/engine/types.ts'
import { encode } from '../../../src/transport/msgpack.ts'
import { bindSocket } from '../../../src/transport/zmtp/sockets.ts'

const captured = (name: string): Uint8Array[][] =>
  readFileSync(join(import.meta.dir, '../../fixtures/kv-events', name), 'utf8')
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as string[]).map((hex) => new Uint8Array(Buffer.from(hex, 'hex'))))

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

test('stored, removed and cleared as captured', () => {
  const changes = captured('live.jsonl').map((parts) => decodeKvEvents(parts[2]!))
  expect(changes[0]).toEqual([
    {
      kind: 'stored',
      blockHashes: [8635429971592222890n, 1256577331724852459n],
      parentHash: null,
      tokenIds: Array.from({ length: 32 }, (_, i) => i + 1),
      blockSize: 16,
      medium: 'GPU',
    },
  ])
  expect(changes[1]![0]).toMatchObject({ parentHash: 1256577331724852459n, blockHashes: [-671038508352778207n, 2302175180724304313n] })
  expect(changes[5]![0]).toEqual({
    kind: 'removed',
    blockHashes: [7885465508964468349n, -671038508352778207n, 2302175180724304313n],
    medium: 'GPU',
  })
  expect(changes[6]).toEqual([{ kind: 'cleared' }])
})

test('the array encoding of older releases says the same', () => {
  const stored = ['BlockStored', [-5n, 2n ** 60n], 7, [1, 2, 3, 4], 2, null, 'GPU']
  const bigrams = [
    'BlockStored',
    [1],
    null,
    [
      [8, 9],
      [9, 10],
    ],
    2,
  ]
  expect(decodeKvEvents(encode([1.5, [stored, ['BlockRemoved', [3]], ['AllBlocksCleared'], bigrams, ['Unknown', 1]], 0]))).toEqual([
    { kind: 'stored', blockHashes: [-5n, 2n ** 60n], parentHash: 7n, tokenIds: [1, 2, 3, 4], blockSize: 2, medium: 'GPU' },
    { kind: 'removed', blockHashes: [3n], medium: 'GPU' },
    { kind: 'cleared' },
    { kind: 'stored', blockHashes: [1n], parentHash: null, tokenIds: [8, 9], blockSize: 2, medium: 'GPU' },
  ])
  expect(() => decodeKvEvents(encode({}))).toThrow('KV events')
})

const cleared = encode([0, [{ type: 'AllBlocksCleared' }], 0])

/** What a listener heard: seq numbers, `lost a-b`, and how often a replay was asked for. */
function heard() {
  const log: string[] = []
  const listener = {
    changes: (seq: number, changes: KvChange[]) => log.push(`${seq}${changes.length ? '' : ' none'}`),
    lost: (from: number, to: number) => log.push(`lost ${from}-${to}`),
  }
  const order = createOrder(listener as never, () => log.push('ask'))
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
    { rank: 0, endpoint: pub.endpoint, replayEndpoint: router.endpoint, topic: 'kv-events' },
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
