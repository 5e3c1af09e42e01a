// The engines over a real SGLang on CPU: the shared suite on each level and over HTTP, and what only the real thing can show.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Engine } from '../../../src/engine/engine.ts'
import { type SglangEngine, sglangEngine } from '../../../src/engine/sglang/engine.ts'
import { httpEngine } from '../../../src/engine/sglang/http/engine.ts'
import type { SglangOptions } from '../../../src/engine/sglang/options.ts'
import type { EngineEvent } from '../../../src/engine/types.ts'
import { localHashes } from '../../../src/lib/block-hash.ts'
import { blockNames } from '../../helpers/block-names.ts'
import { need } from '../../helpers/need.ts'
import { alive, descendants } from '../../helpers/processes/sglang-fleet.ts'
import { freePort, type SglangServer, startSglangServer } from '../../helpers/processes/sglang-server.ts'
import { type Ran, requestOf, runRequest, until } from '../../helpers/run-request.ts'
import { cpuArgs, cpuEnv, sglangPython, tinyModel } from '../../helpers/sglang.ts'
import { embeddingSuite } from '../../suites/embedding.suite.ts'
import { engineSuite } from '../../suites/engine.suite.ts'

const python = sglangPython()
const model = tinyModel()
const embedModel = tinyModel('tiny-embed')
const cacheDir = mkdtempSync(join(tmpdir(), 'sglang-test-'))
afterAll(() => rmSync(cacheDir, { recursive: true, force: true }))

function make(level: SglangOptions['level'], more: string[] = [], path = model!): SglangEngine {
  return sglangEngine({ python: python!, args: [...cpuArgs(path), ...more], env: cpuEnv(), cacheDir, ...(level ? { level } : {}) })
}

describe.skipIf(!need('SGLang (bun run sglang:setup)', python !== undefined && model !== undefined))('sglang', () => {
  /** Engine → its answers to the same requests. */
  const answers = new Map<string, Ran[]>()
  const record = (name: string) => (engine: () => Engine) => {
    test('the same requests as to the others', async () => {
      const schema = '{"type":"object","properties":{"a":{"type":"integer"},"b":{"enum":["x","y"]}},"required":["b","a"]}'
      const requests = [
        requestOf([9, 8, 7], { max_new_tokens: 24, ignore_eos: true }),
        requestOf([400, 401, 402, 403, 404], { max_new_tokens: 24 }, { logprobs: { top: 2, promptStart: 0 } }),
        requestOf([30, 31], { max_new_tokens: 40, json_schema: schema }),
        requestOf([77], { max_new_tokens: 12, repetition_penalty: 1.3, logit_bias: { 500: 3 } }, { stream: false }),
        requestOf([88, 89], { max_new_tokens: 12, stop: ['e'] }),
      ]
      const all: Ran[] = []
      for (const request of requests) all.push(await runRequest(engine(), request))
      answers.set(name, all)
    }, 60_000)
  }

  /** What only a real engine can show, with the suite's own one: its facts, its events, its deaths. */
  const events: EngineEvent[] = []
  let last: number[] = []
  const makeFastest = () => {
    const [live, replay] = [freePort(), freePort()].map((port) => `tcp://*:${port}`)
    const kv = { publisher: 'zmq', endpoint: live, replay_endpoint: replay, topic: 'kv' }
    const engine = make(undefined, ['--enable-metrics', '--page-size', '16', '--kv-events-config', JSON.stringify(kv)])
    engine.on((event) => events.push(event))
    return engine
  }
  const facts = (made: () => Engine) => {
    const engine = made as () => SglangEngine
    test('the fastest level is taken, and its facts are right', () => {
      expect(engine().info).toMatchObject({
        level: 'L1',
        blockSize: 16,
        contextLength: 2048,
        vocabSize: 1024,
        dpSize: 1,
        maxRunningRequests: 8,
      })
      expect(engine().info.eosIds).toContain(1014)
    })

    test('a text prompt that is cancelled before its tokenization began leaves no slot behind', async () => {
      const ran = await Promise.all(
        Array.from({ length: 20 }, () => {
          const abort = new AbortController()
          const running = runRequest(engine(), requestOf([], {}, { promptText: 'hello there' }), abort.signal)
          abort.abort()
          return running
        }),
      )
      for (const { finish } of ran) expect(finish).toEqual({ kind: 'abort', message: 'Aborted' })
      await until('the slots are free', () => engine().inFlight() === 0)
    })

    test('KV events tell the blocks of a prompt, load events the running request', async () => {
      const ids = Array.from({ length: 48 }, (_, i) => 100 + i)
      await runRequest(engine(), requestOf(ids, { max_new_tokens: 4, ignore_eos: true }))
      const stored = () =>
        events
          .flatMap((event) => (event.kind === 'kv' ? event.changes : []))
          .flatMap((change) => (change.kind === 'stored' ? blockNames(change.local) : []))
      const wanted = blockNames(localHashes(Uint32Array.from(ids), engine().info.blockSize))
      await until('the blocks', () => wanted.every((name) => stored().includes(name)))
      await until('a load event', () => events.some((event) => event.kind === 'load' && event.totalTokens > 0))
      const again = await runRequest(engine(), requestOf(ids, { max_new_tokens: 4, ignore_eos: true }))
      expect(again.usage!.cachedTokens).toBeGreaterThanOrEqual(32)
    }, 60_000)

    test('a text instead of ids is tokenized by SGLang', async () => {
      const ran = await runRequest(engine(), requestOf([], { max_new_tokens: 4, ignore_eos: true }, { promptText: 'hello world' }))
      expect(ran.ids.length).toBe(4)
      expect(ran.usage!.promptTokens).toBeGreaterThan(0)
    }, 60_000)

    for (const [who, pick] of [
      ['the bridge', (pids: number[]) => pids[0]!],
      ['a scheduler', (pids: number[]) => pids[1]!],
    ] as const)
      test(`kill -9 of ${who}: what runs fails, nobody is left over, the next request is served after the restart`, async () => {
        const pids = engine().pids
        let killed = false
        const ran = await runRequest(engine(), requestOf([5, 6, 7], { max_new_tokens: 1900, ignore_eos: true }), undefined, (so) => {
          if (so.ids.length < 20 || killed) return
          killed = true
          process.kill(pick(pids), 'SIGKILL')
        })
        expect(ran.error).toMatchObject({ code: 'engine_failed' })
        // Not only when the next engine is there.
        expect(engine().ready).toBe(false)
        await until('the restart', () => engine().ready, 250_000)
        for (const pid of pids) expect(alive(pid)).toBe(false)
        expect((await runRequest(engine(), requestOf([5, 6, 7]))).finish).toBeDefined()
        last = engine().pids
      }, 300_000)
  }

  engineSuite('L1', makeFastest, {
    more(engine) {
      record('L1')(engine)
      facts(engine)
    },
  })
  test('stop leaves no process', () => {
    expect(last.length).toBe(2)
    for (const pid of last) expect(alive(pid)).toBe(false)
  })
  for (const level of ['L0', 'L2'] as const) engineSuite(level, () => make(level, ['--enable-metrics']), { more: record(level) })

  describe('http', () => {
    let server: SglangServer
    beforeAll(async () => {
      server = await startSglangServer(python!, model!, ['--enable-metrics'])
    }, 300_000)
    afterAll(() => server?.stop(), 60_000)
    // There an abort is a request of its own, on a connection of its own, which takes some ms: of the fixture, whose tokens take one and a half, up to 8 come meanwhile; where one takes
    // 9 ms or more it is 2 at most.
    engineSuite('the shared suite', () => httpEngine({ url: server.url }), { more: record('http'), abortTokens: 8 })
  })

  test('L1, L0, L2 and http give the same answers', () => {
    expect([...answers.keys()]).toEqual(['L1', 'L0', 'L2', 'http'])
    const [truth, ...others] = ['http', 'L1', 'L0', 'L2'].map((name) => answers.get(name)!)
    for (const other of others)
      for (const [i, ran] of other!.entries()) {
        const wanted = truth![i]!
        expect({ ids: ran.ids, finish: ran.finish }).toEqual({ ids: wanted.ids, finish: wanted.finish })
        expect(ran.usage).toMatchObject({ promptTokens: wanted.usage!.promptTokens, completionTokens: wanted.usage!.completionTokens })
        for (const [k, value] of ran.values.entries()) expect(value).toBeCloseTo(wanted.values[k]!, 2)
        expect(ran.tops.map((top) => top.ids)).toEqual(wanted.tops.map((top) => top.ids))
        expect(ran.prompt?.ids).toEqual(wanted.prompt?.ids)
      }
  })

  embeddingSuite('embeddings', () => make('L1', ['--is-embedding'], embedModel))

  describe('http embeddings', () => {
    let server: SglangServer
    beforeAll(async () => {
      server = await startSglangServer(python!, embedModel!, ['--is-embedding'])
    }, 300_000)
    afterAll(() => server?.stop(), 60_000)
    embeddingSuite('the shared suite', () => httpEngine({ url: server.url }))
  })

  test('kill -9 of ourselves leaves no process', async () => {
    const module = join(import.meta.dir, '../../../src/engine/sglang/engine.ts')
    const options = { python, args: cpuArgs(model!), env: cpuEnv(), cacheDir }
    const script = `import { sglangEngine } from ${JSON.stringify(module)}
      const engine = sglangEngine(${JSON.stringify(options)})
      await engine.start()
      console.log(JSON.stringify(engine.pids))`
    const owner = Bun.spawn([process.execPath, '-e', script], { stdout: 'pipe', stderr: 'ignore' })
    const { value } = await owner.stdout.getReader().read()
    const [bridge, scheduler] = JSON.parse(new TextDecoder().decode(value)) as [number, number]
    const all = descendants(owner.pid)
    expect(all).toEqual(expect.arrayContaining([bridge, scheduler]))
    for (const pid of all) expect(alive(pid)).toBe(true)
    owner.kill('SIGKILL')
    await until('all are gone', () => !all.some(alive))
  }, 200_000)

  describe('start-up errors in SGLang own words', () => {
    test('an unknown flag', async () => {
      const error = await make(undefined, ['--no-such-flag', '3'])
        .start()
        .catch((thrown) => thrown)
      expect(error).toMatchObject({ code: 'sglang_failed' })
      expect(error.message).toContain('--no-such-flag')
    }, 120_000)

    test('a missing model', async () => {
      const error = await make(undefined, [], '/no/such/model')
        .start()
        .catch((thrown) => thrown)
      expect(error).toMatchObject({ code: 'model_path_not_found', param: '--model-path' })
    }, 120_000)

    test('a Python without SGLang', async () => {
      const bare = Bun.which('python3', { PATH: '/usr/bin:/usr/local/bin' })
      if (!bare) return
      const error = await sglangEngine({ python: bare, args: cpuArgs(model!), env: { PATH: '/usr/bin:/usr/local/bin' }, cacheDir })
        .start()
        .catch((thrown) => thrown)
      expect(error).toMatchObject({ code: 'sglang_not_found' })
    }, 60_000)
  })
})
