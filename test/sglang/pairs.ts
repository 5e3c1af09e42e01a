// `bun test/sglang/pairs.ts [--prefill N] [--decode N] [--dp N] [--backend nixl|mooncake] [--python PATH]`: N + N real engines on this machine, routed as pairs:
// answers against those of one aggregated engine, cancels at random moments, and nothing left in any engine. Too heavy for every run of the tests.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Engine } from '../../src/engine/engine.ts'
import { type SglangEngine, sglangEngine } from '../../src/engine/sglang/engine.ts'
import { createRouter } from '../../src/router/create.ts'
import { defaultRouterOptions } from '../../src/router/options.ts'
import { workerSet } from '../../src/router/workers.ts'
import { type Ran, requestOf, runRequest, until } from '../helpers/run-request.ts'
import { cpuArgs, cpuEnv, sglangPython, tinyModel } from '../helpers/sglang.ts'
import { addMooncake, mooncakeEnv } from './mooncake.ts'

const { values } = parseArgs({
  options: {
    prefill: { type: 'string', default: '2' },
    decode: { type: 'string', default: '2' },
    dp: { type: 'string', default: '1' },
    backend: { type: 'string', default: 'nixl' },
    python: { type: 'string' },
    requests: { type: 'string', default: '80' },
  },
})
const python = values.python ?? sglangPython()
const model = tinyModel()
if (python === undefined || model === undefined) throw new Error('no SGLang (bun run sglang:setup) or no models (bun run models)')
if (values.backend === 'mooncake') addMooncake(python)
const cacheDir = mkdtempSync(join(tmpdir(), 'pairs-'))
const dp = Number(values.dp)

function make(name: string, args: string[]): SglangEngine {
  return sglangEngine({
    python: python!,
    args: [...cpuArgs(model!), ...args],
    env: {
      ...cpuEnv(),
      ...(values.backend === 'mooncake' ? mooncakeEnv : {}),
      ...(dp > 1 && name !== 'whole' ? { SGLANG_CPU_OMP_THREADS_BIND: Array.from({ length: dp }, (_, i) => i).join('|') } : {}),
      SGLANG_HOST_IP: '127.0.0.1',
    },
    cacheDir,
    onNotice: (text) => console.log(`${name}: ${text}`),
    onLine: (line) => process.env.LOUD && console.log(name, line),
  })
}

const apart = ['--disaggregation-transfer-backend', values.backend!, ...(dp > 1 ? ['--dp-size', `${dp}`] : [])]
const makePrefill = (id: string) => make(id, [...apart, '--disaggregation-mode', 'prefill', '--disable-overlap-schedule'])
const makeDecode = (id: string) =>
  make(id, [...apart, '--disaggregation-mode', 'decode', '--disaggregation-decode-retraction-backup', 'cpu_tensor'])

const ids = (length: number, from: number) => Array.from({ length }, (_, i) => 10 + ((from * 13 + i * 7) % 900))
const questions = Array.from({ length: 8 }, (_, i) => () => requestOf(ids(8 + 60 * i, i), { max_new_tokens: 24, ignore_eos: true }))

/** SGLang drops its cache only when none of its queues holds a request. */
async function holdsNothing(id: string, engine: Engine): Promise<void> {
  const end = performance.now() + 2000
  while (((await engine.control('flush_cache', {})) as { success?: boolean }).success === false) {
    if (performance.now() > end) throw new Error(`${id} still holds a request`)
    await Bun.sleep(20)
  }
}

const whole = make('whole', [])
await whole.start()
const expected: Ran[] = []
for (const question of questions) expected.push(await runRequest(whole, question()))
await whole.stop(0)

const workers = workerSet()
const router = createRouter(workers, defaultRouterOptions)
const engines = new Map<string, SglangEngine>()
for (let i = 1; i <= Number(values.prefill); i++) engines.set(`p${i}`, makePrefill(`p${i}`))
for (let i = 1; i <= Number(values.decode); i++) engines.set(`d${i}`, makeDecode(`d${i}`))
let failures = 0
try {
  const began = performance.now()
  await Promise.all([...engines.values()].map((engine) => engine.start()))
  for (const [id, engine] of engines) workers.add({ id, engine })
  console.log(`${engines.size} engines up in ${((performance.now() - began) / 1000).toFixed(1)} s`)

  const used = new Map<string, number>()
  let left = Number(values.requests)
  let equal = 0
  let cancelled = 0
  const lane = async () => {
    while (left-- > 0) {
      const which = Math.floor(Math.random() * questions.length)
      const request = questions[which]!()
      const stop = new AbortController()
      const timer = Math.random() < 0.3 ? setTimeout(() => stop.abort(), Math.random() * 200) : undefined
      const lease = await router.place({ requestId: request.requestId, promptIds: request.promptIds }, stop.signal)
      if (lease.dpRank !== undefined) request.dpRank = lease.dpRank
      const key = `${lease.prefillWorkerId}/${lease.prefillDpRank} > ${lease.workerId}/${lease.dpRank ?? 0}`
      used.set(key, (used.get(key) ?? 0) + 1)
      const ran = await runRequest(lease.engine as Engine, request, stop.signal, () => lease.started())
      lease.release(ran.usage && { usage: ran.usage })
      clearTimeout(timer)
      if (stop.signal.aborted) cancelled++
      else if (Bun.deepEquals(ran.ids, expected[which]!.ids)) equal++
      else {
        failures++
        console.log(`different: ${key}`, ran.error?.message, ran.error?.cause, ran.finish, ran.ids, expected[which]!.ids)
      }
    }
  }
  await Promise.all(Array.from({ length: 4 }, lane))
  console.log(`${equal} answers equal to the aggregated engine's, ${cancelled} cancelled, ${failures} different`)
  for (const [pair, count] of [...used].sort()) console.log(`  ${pair}: ${count}`)
  await until('no request in any engine', () => [...engines.values()].every((engine) => engine.inFlight() === 0))
  for (const [id, engine] of engines) await holdsNothing(id, engine)
  console.log('booked at the end:', router.booked())
} finally {
  router.close()
  await Promise.all([...engines.values()].map((engine) => engine.stop(0)))
  rmSync(cacheDir, { recursive: true, force: true })
}
process.exit(failures > 0 ? 1 : 0)
