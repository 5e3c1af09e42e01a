import { describe, expect, test } from 'bun:test'
import {
  decodeEmbed,
  decodeFinish,
  decodeGenerate,
  decodeNamed,
  decodeVector,
  encodeEmbed,
  encodeFinish,
  encodeGenerate,
  encodeNamed,
  encodeRowsWithLogprobs,
  encodeVector,
  operations,
  RowReader,
  RowWriter,
} from '../../../src/engine/remote/protocol.ts'
import type { GenerateRequest } from '../../../src/engine/types.ts'

const ids = (count: number) => Int32Array.from({ length: count }, (_, i) => (i * 7919) % 262_144)

/** At an odd address, as it may lie in a socket's chunk. */
function shifted(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes.length + 3)
  out.set(bytes, 3)
  return out.subarray(3)
}

const full: GenerateRequest = {
  requestId: 'req-1',
  promptIds: Uint32Array.from([1, 2, 4_000_000_000]),
  promptText: 'unused',
  sampling: {
    max_new_tokens: 5,
    temperature: 0.7,
    stop: ['\n'],
    json_schema: '{"a":1}',
    logit_bias: { 5: -100 },
    sampling_seed: 2 ** 40 + 1,
  },
  stream: true,
  logprobs: { top: 3, promptStart: 0, tokenIds: [4] },
  priority: -2,
  dpRank: 1,
  lora: 'a',
  cacheSalt: 'b',
  extraKey: 'c',
  resumed: 2,
  bootstrap: { host: '10.0.0.7', port: 8998, room: 2 ** 53 - 1, prefillDpRank: 3 },
}

describe('what crosses the request plane', () => {
  test('a generate request arrives with every field, at any address', () => {
    expect(decodeGenerate(shifted(encodeGenerate(full)))).toEqual(full)
  })

  test('absent fields stay absent, an empty prompt stays empty', () => {
    const least: GenerateRequest = { requestId: 'r', promptIds: new Uint32Array(0), sampling: {}, stream: false }
    expect(Object.keys(decodeGenerate(encodeGenerate({ ...least, priority: undefined } as never))).sort()).toEqual(
      Object.keys(least).sort(),
    )
    expect(decodeGenerate(encodeGenerate(least))).toEqual(least)
  })

  test('the decoded prompt is a copy: the head may be reused', () => {
    const head = encodeGenerate(full)
    const decoded = decodeGenerate(head)
    head.fill(0)
    expect(decoded.promptIds).toEqual(full.promptIds)
  })

  test('embed requests, vectors, names and finishes', () => {
    const embed = { requestId: 'e', promptIds: Uint32Array.of(9, 8), priority: 1 }
    expect(decodeEmbed(encodeEmbed(embed))).toEqual(embed)
    const vector = Float32Array.from([1, -0.5, 3e-20])
    expect(decodeVector(shifted(encodeVector(vector, 12)))).toEqual({ vector, promptTokens: 12 })
    expect(decodeNamed(encodeNamed(operations.control, 'flush_cache', { a: [1, 'x'] }))).toEqual(['flush_cache', { a: [1, 'x'] }])
    const usage = { promptTokens: 3, completionTokens: 4, cachedTokens: 0, reasoningTokens: 1 }
    for (const finish of [
      { kind: 'stop', matched: 5 },
      { kind: 'length' },
      { kind: 'abort', message: 'no', status: 503, errorType: 'X' },
    ] as const)
      expect(decodeFinish(encodeFinish(finish, usage))).toEqual([finish, usage])
  })

  test('rows of any length, in memory that is used again', () => {
    const writer = new RowWriter()
    const reader = new RowReader()
    for (const count of [0, 1, 2, 32, 33, 63, 64, 65, 300, 1, 5000, 2]) {
      const all = ids(count + 4)
      const message = shifted(writer.rows(all, 2, count + 2))
      expect(message.length).toBe(1 + 4 * count)
      expect(reader.read(message)).toBe(count)
      expect(reader.ids.subarray(0, count)).toEqual(all.subarray(2, count + 2))
      expect(reader.logprobs).toBeUndefined()
    }
  })

  test('a one-token row is five bytes', () => {
    expect([...new RowWriter().rows(Int32Array.of(0x01020304), 0, 1)]).toEqual([1, 4, 3, 2, 1])
  })

  test('rows with log-probabilities keep every digit', () => {
    const reader = new RowReader()
    const logprobs = {
      values: [-0.1, -1 / 3],
      top: [
        { ids: [1, 2], values: [-0.1, -2] },
        { ids: [3], values: [-1 / 3] },
      ],
    }
    expect(reader.read(shifted(encodeRowsWithLogprobs(ids(5), 1, 3, logprobs)))).toBe(2)
    expect(reader.ids.subarray(0, 2)).toEqual(ids(5).subarray(1, 3))
    expect(reader.logprobs).toEqual(logprobs)
  })

  test('what is no request is refused, whatever is wrong with it', () => {
    const lie = encodeGenerate(full)
    lie.set([255, 255, 255, 127], 1)
    const heads = [
      lie,
      Uint8Array.of(1),
      encodeGenerate({ ...full, sampling: 5 } as never),
      encodeGenerate({ ...full, requestId: 5 } as never),
    ]
    heads.push(encodeGenerate(full).subarray(0, 40))
    for (const head of heads) expect(() => decodeGenerate(head)).toThrow('cannot read this request')
    for (const head of [Uint8Array.of(3), Uint8Array.of(3, 0x92, 1, 0x80), encodeNamed(operations.call, 'card', 7)])
      expect(() => decodeNamed(head)).toThrow('cannot read this request')
  })
})
