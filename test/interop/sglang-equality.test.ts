// Our answers against those of SGLang's own HTTP server: same weights, greedy, on every way that we have to an engine.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { need } from '../helpers/need.ts'
import { type SglangServer, startSglangServer } from '../helpers/processes/sglang-server.ts'
import { type Started, start } from '../helpers/processes/start.ts'
import { cpuArgs, cpuEnv, sglangPython, tinyModel } from '../helpers/sglang.ts'
import { type Answer, ask } from './equality.ts'
import { type EqualityCase, equalityCases, stopCases } from './equality-cases.ts'

const python = sglangPython()
const model = tinyModel()
const present = need('a Python with SGLang (bun run sglang:setup)', python !== undefined)
/** Full precision, so that an argmax does not turn on the shape of a batch. */
const precise = ['--dtype', 'float32']
const engines = { L1: ['--bridge-level', 'L1'], L0: ['--bridge-level', 'L0'], L2: ['--bridge-level', 'L2'], http: [] as string[] }
const START_MS = 300_000
const CASE_MS = 60_000

describe.skipIf(!present)('the same answers as SGLang', () => {
  let peer: SglangServer
  let stops: EqualityCase[]
  const expected = new Map<string, Answer>()

  beforeAll(async () => {
    peer = await startSglangServer(python!, model!, precise)
    const hello = await ask(peer.url, model!, '/v1/chat/completions', equalityCases[0]!.body)
    stops = stopCases(hello.choices[0]!.text)
    for (const one of [...equalityCases, ...stops]) expected.set(one.name, await ask(peer.url, model!, one.path, one.body))
  }, START_MS)
  afterAll(() => peer?.stop(), CASE_MS)

  for (const [name, flags] of Object.entries(engines))
    describe(name, () => {
      let ours: Started
      beforeAll(async () => {
        const front = ['serve', '--http-host', '127.0.0.1', '--http-port', '{port}', '--served-model-name', model!]
        const engine =
          name === 'http' ? ['--engine', 'http', '--engine-url', peer.url] : ['--python', python!, ...cpuArgs(model!), ...precise, ...flags]
        ours = await start({ command: [...front, ...engine], env: cpuEnv(), readySecs: START_MS / 1000 })
      }, START_MS)
      afterAll(() => ours?.stop(30_000), CASE_MS)

      for (const { name: what, path, body } of [...equalityCases, ...stopCases('abcdef')])
        test(
          what,
          async () => {
            const asked = stops.find((one) => one.name === what)?.body ?? body
            const wanted = expected.get(what)!
            expect(wanted.status).toBe(200)
            expect(await ask(ours.url, model!, path, asked)).toEqual(wanted)
            expect(await ask(ours.url, model!, path, asked, true)).toEqual(wanted)
          },
          CASE_MS,
        )
    })
})
