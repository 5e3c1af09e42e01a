// OUT frames to sinks, compared with a plain decoding of the same frames; frames start at every alignment.
import { expect, test } from 'bun:test'
import { Rows } from '../../../../src/engine/sglang/requests/rows.ts'
import { type Running, Slots } from '../../../../src/engine/sglang/requests/slots.ts'
import type { EngineUsage, Finish, PromptLogprobs, RowLogprobs } from '../../../../src/engine/types.ts'
import { AppError } from '../../../../src/lib/errors.ts'
import { encode } from '../../../../src/transport/msgpack.ts'

interface Told {
  ids: number[]
  logprobs: (RowLogprobs | undefined)[]
  prompt: PromptLogprobs[]
  finish: Finish | undefined
  usage: EngineUsage | undefined
  error: AppError | undefined
  ended: number
}

function setUp() {
  const thrown: unknown[] = []
  const fins: number[] = []
  const loads: number[][] = []
  const slots: Slots = new Slots((_running, error) => thrown.push(error))
  const rows = new Rows(slots, {
    finished: (done) => fins.push(...done.map((running) => running.slot)),
    load: (...numbers) => loads.push(numbers),
    heard() {},
    lost: (rank, count) => loads.push([-1, rank, count]),
  })
  const open = (throwing = false): { running: Running; told: Told } => {
    const told: Told = { ids: [], logprobs: [], prompt: [], finish: undefined, usage: undefined, error: undefined, ended: 0 }
    const running = slots.open(
      'epoch0',
      3,
      {
        push(ids, start, end, logprobs) {
          if (throwing) throw new Error('broken')
          for (let i = start; i < end; i++) told.ids.push(ids[i]!)
          told.logprobs.push(logprobs)
        },
        promptLogprobs: (prompt) => told.prompt.push(prompt),
        end(finish, usage) {
          told.finish = finish
          told.usage = usage
        },
        fail(error) {
          told.error = error
        },
      },
      rows.lostFrames,
      () => told.ended++,
    )
    return { running, told }
  }
  return { slots, rows, open, thrown, fins, loads }
}

const i32 = (values: number[]) => new Uint8Array(Int32Array.from(values).buffer)
const f32 = (values: number[]) => new Uint8Array(Float32Array.from(values).buffer)

interface FrameParts {
  seq: number
  rank?: number
  rows: { slot: number; gen: number; ids: number[] }[]
  first?: number[][]
  fin?: unknown[][]
  lp?: unknown[][]
  load?: number[]
  /** Bytes before the frame in its buffer. */
  offset?: number
}

function frame({ seq, rank = 0, rows, first = [], fin = [], lp, load, offset = 0 }: FrameParts): Uint8Array {
  const who = new Uint8Array(rows.length * 8)
  const view = new DataView(who.buffer)
  for (const [i, row] of rows.entries()) {
    view.setUint32(i * 8, row.slot)
    view.setUint32(i * 8 + 4, row.gen)
  }
  const lens = rows.every((row) => row.ids.length === 1) ? null : i32(rows.map((row) => row.ids.length))
  const message = [
    100,
    rank,
    seq,
    who,
    i32(rows.flatMap((row) => row.ids)),
    lens,
    first,
    fin,
    lp ?? null,
    load ?? null,
    1e12 + 0.5,
    'new field',
  ]
  const bytes = encode(message)
  const holder = new Uint8Array(offset + bytes.length)
  holder.set(bytes, offset)
  return holder.subarray(offset)
}

const row = (running: Running, ...ids: number[]) => ({ slot: running.slot, gen: running.gen, ids })

test('random frames at every alignment give each sink its own ids, in order', () => {
  const { rows, open, slots, fins } = setUp()
  let state = 1
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  const live: { running: Running; told: Told; expected: number[] }[] = []
  const over: typeof live = []
  for (let seq = 1; seq <= 400; seq++) {
    while (live.length < 40) live.push({ ...open(), expected: [] })
    const inFrame = live.filter(() => random(3) > 0)
    const many = random(2) === 0
    const parts = inFrame.map((one) => {
      const ids = Array.from({ length: many ? random(4) : 1 }, () => random(2 ** 31) - (random(9) === 0 ? 2 ** 30 : 0))
      one.expected.push(...ids)
      return row(one.running, ...ids)
    })
    const fin: unknown[][] = []
    for (const [i, one] of inFrame.entries()) {
      if (random(10) > 0) continue
      fin.push([i, 'length', null, null, null, null, one.expected.length, 9, 2, 1])
      live.splice(live.indexOf(one), 1)
      over.push(one)
    }
    rows.take(frame({ seq, rows: parts, fin, offset: random(8) }))
  }
  expect(over.length).toBeGreaterThan(500)
  for (const { told, expected } of over) {
    expect(told.ids).toEqual(expected)
    expect(told.finish).toEqual({ kind: 'length' })
    expect(told.usage).toEqual({ promptTokens: 9, completionTokens: expected.length, cachedTokens: 2, reasoningTokens: 1 })
    expect(told.ended).toBe(1)
  }
  for (const { told, expected } of live) expect(told.ids).toEqual(expected)
  expect(fins.length).toBe(over.length)
  expect(slots.size).toBe(live.length)
  expect(slots.unknownRows).toBe(0)
})

test('rids have 24 characters, a slot is used again with the next generation', () => {
  const { open, rows, slots } = setUp()
  const a = open()
  expect(a.running.rid).toBe('dsepoch00000000000000001')
  rows.take(frame({ seq: 1, rows: [row(a.running, 5)], fin: [[0, 'stop', 5, null, null, null, 1, 3, 0, 0]] }))
  const b = open()
  expect(b.running.rid).toBe('dsepoch00000000000000002')
  rows.take(frame({ seq: 2, rows: [row(a.running, 6)] }))
  expect(b.told.ids).toEqual([])
  expect(a.told.ids).toEqual([5])
  expect(slots.unknownRows).toBe(1)
})

test('all kinds of endings', () => {
  const { open, rows } = setUp()
  const end = (...fields: unknown[]) => {
    const one = open()
    rows.take(frame({ seq: ++seq, rows: [row(one.running)], fin: [[0, ...fields, 0, 3, 0, 0]] }))
    return one.told.finish
  }
  let seq = 0
  expect(end('stop', 'END', null, null, null)).toEqual({ kind: 'stop', matched: 'END' })
  expect(end('stop', 7, null, null, null)).toEqual({ kind: 'stop', matched: 7 })
  expect(end('stop', [4, 7], null, null, null)).toEqual({ kind: 'stop', matched: 7 })
  expect(end('stop', null, null, null, null)).toEqual({ kind: 'stop', matched: null })
  expect(end('abort', null, 'bad grammar', 400, 'BadRequest')).toEqual({
    kind: 'abort',
    message: 'bad grammar',
    status: 400,
    errorType: 'BadRequest',
  })
  expect(end('abort', null, null, null, null)).toEqual({ kind: 'abort', message: 'Aborted' })
})

test('first tells the prompt, load goes to its listener', () => {
  const { open, rows, loads } = setUp()
  const one = open()
  rows.take(frame({ seq: 1, rank: 1, rows: [row(one.running, 1)], first: [[0, 17, 16]], load: [3, 2, 100, 4096] }))
  expect(one.running.usage).toMatchObject({ promptTokens: 17, cachedTokens: 16 })
  expect(loads).toEqual([[1, 3, 2, 100, 4096]])
})

test('logprobs: values, alternatives, asked-for ids, and the prompt once', () => {
  const { open, rows } = setUp()
  const plain = open()
  const asked = open()
  const top = [2, f32([-0.5, -1, -0.25, -2]), i32([8, 9, 7, 6])]
  const varying = [i32([1, 2]), f32([-3, -4, -5]), i32([9, 1, 6])]
  const prompt = [f32([Number.NaN, -0.5]), i32([4, 5]), [1, f32([Number.NaN, -0.5]), i32([0, 5])], null]
  rows.take(frame({ seq: 1, rows: [row(plain.running, 3), row(asked.running, 8, 7)], lp: [[1, f32([-0.5, -0.25]), top, varying, prompt]] }))
  expect(plain.told.logprobs).toEqual([undefined])
  expect(asked.told.logprobs).toEqual([
    {
      values: [-0.5, -0.25],
      top: [
        { ids: [8, 9], values: [-0.5, -1] },
        { ids: [7, 6, 1], values: [-0.25, -2, -4] },
      ],
    },
  ])
  expect(asked.told.prompt).toEqual([{ ids: [4, 5], values: [null, -0.5], top: [null, { ids: [5], values: [-0.5] }] }])
})

test('a sink that throws gets fail once, the others go on', () => {
  const { open, rows, thrown } = setUp()
  const bad = open(true)
  const good = open()
  rows.take(frame({ seq: 1, rows: [row(bad.running, 1), row(good.running, 2)] }))
  rows.take(frame({ seq: 2, rows: [row(bad.running, 1), row(good.running, 3)], fin: [[0, 'abort', null, null, null, null, 2, 3, 0, 0]] }))
  expect(good.told.ids).toEqual([2, 3])
  expect(bad.told.error).toMatchObject({ code: 'internal_error' })
  expect(bad.told.ended).toBe(1)
  expect(bad.told.finish).toBeUndefined()
  expect(thrown.length).toBe(1)
})

test('an answer that lost tokens fails, one that lost none ends well', () => {
  const { open, rows, loads } = setUp()
  const hurt = open()
  const whole = open()
  rows.take(frame({ seq: 1, rows: [row(hurt.running, 1), row(whole.running, 1)] }))
  rows.take(
    frame({
      seq: 4,
      rows: [row(hurt.running, 4), row(whole.running, 2)],
      fin: [
        [0, 'length', null, null, null, null, 4, 3, 0, 0],
        [1, 'length', null, null, null, null, 2, 3, 0, 0],
      ],
    }),
  )
  expect(loads).toEqual([[-1, 0, 2]])
  expect(hurt.told.error).toMatchObject({ code: 'tokens_lost' })
  expect(whole.told.finish).toEqual({ kind: 'length' })
})

test('when the engine dies everyone fails once and every slot is free', () => {
  const { open, slots } = setUp()
  const all = [open(), open(), open()]
  slots.failAll(new AppError('engine_failed', { message: 'gone' }))
  slots.failAll(new AppError('engine_failed', { message: 'gone' }))
  expect(all.map(({ told }) => [told.error?.code, told.ended])).toEqual(all.map(() => ['engine_failed', 1]))
  expect(slots.size).toBe(0)
})
