// KV events as SGLang 0.5.23 sent them, in the older array encoding, and what must not come into an index by content.
import { expect, test } from 'bun:test'
import { kvDecoder } from '../../../../src/engine/sglang/kv/decode.ts'
import { rootNames } from '../../../../src/engine/sglang/kv/names.ts'
import { localHashes } from '../../../../src/lib/block-hash.ts'
import { encode } from '../../../../src/transport/msgpack.ts'
import { pairsOf } from '../../../helpers/block-names.ts'
import { captured } from './captured.ts'

const count = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)
const batch = (...events: unknown[]) => encode([1.5, events, 0])
const localOf = (ids: number[], size: number, namespace = {}) => localHashes(Uint32Array.from(ids), size, namespace)
const stored = (ids: unknown[], names: (number | bigint)[], more: object = {}) => ({
  type: 'BlockStored',
  block_hashes: names,
  parent_block_hash: null,
  token_ids: ids,
  block_size: 2,
  lora_id: null,
  medium: 'GPU',
  ...more,
})

test('stored, removed and cleared as captured', () => {
  const decode = kvDecoder(16)
  const changes = captured('live.jsonl').map((parts) => decode(parts[2]!))
  expect(changes[0]).toEqual([
    {
      kind: 'stored',
      blocks: pairsOf(8635429971592222890n, 1256577331724852459n),
      parent: null,
      local: localOf(count(1, 33), 16),
      tier: 'device',
    },
  ])
  expect(changes[1]![0]).toMatchObject({
    parent: pairsOf(1256577331724852459n),
    blocks: pairsOf(-671038508352778207n, 2302175180724304313n),
  })
  expect(changes[5]![0]).toEqual({
    kind: 'removed',
    blocks: pairsOf(7885465508964468349n, -671038508352778207n, 2302175180724304313n),
    tier: 'device',
  })
  expect(changes[6]).toEqual([{ kind: 'cleared' }])
})

test('the array encoding of older releases says the same', () => {
  const old = ['BlockStored', [-5n, 2n ** 60n], 7, [1, 2, 3, 4], 2, null, 'GPU']
  expect(kvDecoder(2)(batch(old, ['BlockRemoved', [3]], ['AllBlocksCleared'], ['Unknown', 1], { type: 'Later' }))).toEqual([
    { kind: 'stored', blocks: pairsOf(-5n, 2n ** 60n), parent: pairsOf(7), local: localOf([1, 2, 3, 4], 2), tier: 'device' },
    { kind: 'removed', blocks: pairsOf(3), tier: 'device' },
    { kind: 'cleared' },
  ])
  expect(() => kvDecoder(2)(encode({}))).toThrow('KV events')
})

test.each([
  ['GPU', 'device'],
  ['CPU_PINNED', 'host'],
  ['CPU_TIER1', 'host'],
  ['CPU_TIER2', 'disk'],
  ['DISK', 'disk'],
  ['NVME', 'disk'],
  ['EXTERNAL', 'external'],
  ['SHARED', 'external'],
  ['QUANTUM', 'device'],
  [undefined, 'device'],
] as const)('medium %s is tier %s', (medium, tier) => {
  const decode = kvDecoder(2)
  expect(decode(batch(stored([1, 2], [1], { medium }), { type: 'BlockRemoved', block_hashes: [1], medium }))).toMatchObject([
    { tier },
    { tier },
  ])
})

test('adapter and salt are in the content hash', () => {
  const decode = kvDecoder(2)
  const namespaces = [{}, { lora_name: 'a' }, { cache_salt: 's' }, { lora_name: 'a', cache_salt: 's' }]
  const hashes = namespaces.map((fields) => decode(batch(stored([1, 2], [9], fields)))[0])
  expect(hashes).toMatchObject([
    { local: localOf([1, 2], 2) },
    { local: localOf([1, 2], 2, { lora: 'a' }) },
    { local: localOf([1, 2], 2, { cacheSalt: 's' }) },
    { local: localOf([1, 2], 2, { lora: 'a', cacheSalt: 's' }) },
  ])
})

test('a short last page and pages of another size are not indexed', () => {
  const decode = kvDecoder(2)
  expect(decode(batch(stored([1, 2, 3], [1, 2])))).toMatchObject([{ blocks: pairsOf(1), local: localOf([1, 2], 2) }])
  expect(decode(batch(stored([1], [1], { block_size: 1 }), stored([1, 2, 3, 4], [1], { block_size: 4 })))).toEqual([])
})

test('pairs of neighbours (EAGLE) count by their first token', () => {
  const bigrams = [8, 9].map((id) => [id, id + 1])
  expect(kvDecoder(2)(batch(stored(bigrams, [1])))).toMatchObject([{ local: localOf([8, 9], 2) }])
})

test('ids of more than 32 bits (image pads) count by their low 32 bits', () => {
  const pads = [2n ** 62n - 1n, 2n ** 40n + 5n]
  expect(kvDecoder(2)(batch(stored(pads, [1])))).toMatchObject([{ local: localOf([0xffffffff, 5], 2) }])
})

test("the root names are SGLang's own, salt and wide ids included", () => {
  const named = (ids: (number | bigint)[], salt?: string) => rootNames(ids, salt).map((name) => pairsOf(name))
  expect(named(count(1, 17))).toEqual([pairsOf(8635429971592222890n)])
  // sglang.srt.mem_cache.utils.get_hash_str and namespaced_block_hash of 0.5.23.
  expect(named([1, 2], 's')).toEqual([pairsOf(5926641364990487918n), pairsOf(3783351243622883761n)])
  expect(named([1, 2n ** 40n])).toEqual([pairsOf(8420316511401151538n)])
})

test('a prompt under an extra key is left out, its continuation has no parent', () => {
  const decode = kvDecoder(2)
  const plain = stored([1, 2], rootNames([1, 2], undefined))
  const keyed = stored([1, 2], [77n])
  expect(decode(batch(plain))).toHaveLength(1)
  expect(decode(batch(keyed))).toEqual([])
  expect(decode(batch(stored([1, 2], rootNames([1, 2], 's').slice(1), { cache_salt: 's' })))).toHaveLength(1)
  expect(decode(batch(stored([1, 2], [78n], { cache_salt: 's' })))).toEqual([])
  // An adapter's names cannot be recomputed: its id is not told.
  expect(decode(batch(stored([1, 2], [79n], { lora_name: 'a' })))).toHaveLength(1)
})

test('a publisher with names of another kind is believed', () => {
  const decode = kvDecoder(2)
  expect(decode(batch(stored([1, 2], [77n]), stored([1, 2], [78n])))).toHaveLength(2)
})
