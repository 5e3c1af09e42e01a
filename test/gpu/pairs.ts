// `bun test/gpu/pairs.ts`: prefill and decode apart on GPUs (`--decode-gpu 0`: both on one), against one aggregated engine: equal text, TTFT, tokens a second,
// cancels, kill -9. Engines only, no HTTP. Prints one JSON object. Where only files can be carried: `bun build --target bun` makes it one.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Engine } from '../../src/engine/engine.ts'
import { type SglangEngine, sglangEngine } from '../../src/engine/sglang/engine.ts'
import { createRouter } from '../../src/router/create.ts'
import { defaultRouterOptions } from '../../src/router/options.ts'
import { workerSet } from '../../src/router/workers.ts'
import { requestOf, runRequest, until } from '../helpers/run-request.ts'
import { engineFlags } from './machine.ts'
import { writeShape } from './shapes.ts'

const { values: options } = parseArgs({
  options: {
    shape: { type: 'string', default: 'q06' },
    python: { type: 'string', default: 'python3' },
    tokenizer: { type: 'string', default: 'models/tiny-llm' },
    work: { type: 'string', default: '/tmp/dynamo-sglang-gpu' },
    backend: { type: 'string', default: 'nixl' },
    'prefill-gpu': { type: 'string', default: '0' },
    'decode-gpu': { type: 'string', default: '0' },
    concurrency: { type: 'string', default: '1,64,256' },
    'input-tokens': { type: 'string', default: '512' },
    'output-tokens': { type: 'string', default: '128' },
    out: { type: 'string' },
  },
})
mkdirSync(options.work, { recursive: true })
const model = join(options.work, options.shape)
writeShape(model, options.shape, options.tokenizer)
const inputTokens = Number(options['input-tokens'])
const outputTokens = Number(options['output-tokens'])
const report: Record<string, unknown> = {}
const say = (line: string) => console.error(`${(performance.now() / 1000).toFixed(1)} s: ${line}`)

function make(name: string, gpu: string, more: string[]): SglangEngine {
  const flags = [...engineFlags, '--mem-fraction-static', '0.3', '--max-running-requests', '512', '--cuda-graph-max-bs-decode', '256']
  const lines: string[] = []
  return sglangEngine({
    python: options.python,
    args: ['--model-path', model, ...flags, ...more],
    env: { ...(process.env as Record<string, string>), CUDA_VISIBLE_DEVICES: gpu, SGLANG_HOST_IP: '127.0.0.1', HF_HUB_OFFLINE: '1' },
    cacheDir: join(options.work, 'cache'),
    onLine: (line) => {
      lines.push(line)
      if (/error|exception|traceback/i.test(line)) say(`${name}: ${line.slice(0, 300)}`)
    },
    onNotice: (text) => say(`${name}: ${text.slice(0, 2000)}`),
  })
}

const ids = (length: number, from: number) => Array.from({ length }, (_, i) => 10 + ((from * 131 + i * 17 + ((i * i) % 97)) % 900))
const percentile = (sorted: number[], part: number) => Math.round((sorted[Math.floor((sorted.length - 1) * part)] ?? 0) * 10) / 10

type Ask = (request: ReturnType<typeof requestOf>, signal?: AbortSignal, first?: () => void) => ReturnType<typeof runRequest>

const texts = async (ask: Ask) => {
  const found: number[][] = []
  for (const [i, length] of [1, 9, 40, 128, 300, 700, 1500, 4000].entries())
    found.push((await ask(requestOf(ids(length, i), { max_new_tokens: 48, ignore_eos: true }))).ids)
  return found
}

async function load(ask: Ask, concurrency: number) {
  const total = concurrency === 1 ? 8 : concurrency * 4
  const ttft: number[] = []
  let next = 0
  let failed = 0
  const began = performance.now()
  const lane = async () => {
    while (next < total) {
      const from = performance.now()
      let first = 0
      const request = requestOf(ids(inputTokens, 1000 + next++), { max_new_tokens: outputTokens, ignore_eos: true, temperature: 1 })
      const ran = await ask(request, undefined, () => {
        first ||= performance.now() - from
      })
      if (ran.ids.length === outputTokens) ttft.push(first)
      else failed++
    }
  }
  await Promise.all(Array.from({ length: concurrency }, lane))
  const secs = (performance.now() - began) / 1000
  ttft.sort((a, b) => a - b)
  const row = {
    tokPerSec: Math.round((ttft.length * outputTokens) / secs),
    ttftP50: percentile(ttft, 0.5),
    ttftP99: percentile(ttft, 0.99),
    failed,
  }
  say(`c=${concurrency} ${JSON.stringify(row)}`)
  return row
}

async function rows(ask: Ask) {
  await load(ask, 16) // The first passes compile.
  const found: Record<string, unknown> = {}
  for (const concurrency of options.concurrency.split(',').map(Number)) found[concurrency] = await load(ask, concurrency)
  return found
}

const whole = make('whole', options['prefill-gpu'], [])
const wholeAsk: Ask = (request, signal, first) => runRequest(whole, request, signal, first)
await whole.start()
say(`aggregated engine up: SGLang ${whole.info.version}, level ${whole.info.level}`)
const expected = await texts(wholeAsk)
report.sglang = whole.info.version
report.aggregated = await rows(wholeAsk)
await whole.stop(0)

const apart = ['--disaggregation-transfer-backend', options.backend]
const prefill = make('prefill', options['prefill-gpu'], [...apart, '--disaggregation-mode', 'prefill'])
const decode = make('decode', options['decode-gpu'], [...apart, '--disaggregation-mode', 'decode'])
const workers = workerSet()
const router = createRouter(workers, defaultRouterOptions)
try {
  await prefill.start()
  await decode.start()
  workers.add({ id: 'p1', engine: prefill })
  workers.add({ id: 'd1', engine: decode })
  say(`pair up: ${JSON.stringify(prefill.info.bootstrap)}`)
  const ask: Ask = async (request, signal = new AbortController().signal, first = () => {}) => {
    const lease = await router.place({ requestId: request.requestId, promptIds: request.promptIds }, signal)
    const ran = await runRequest(lease.engine as Engine, request, signal, () => {
      lease.started()
      first()
    })
    lease.release(ran.usage && { usage: ran.usage })
    return ran
  }
  const inside = () => prefill.inFlight() + decode.inFlight()
  const freed = async () => {
    const began = performance.now()
    await until('no request in either engine', () => inside() === 0, 5000)
    const ms = performance.now() - began
    for (const engine of [prefill, decode])
      for (let i = 0; ((await engine.control('flush_cache', {})) as { success?: boolean }).success === false; i++) {
        if (i > 50) throw new Error('an engine still holds a request')
        await Bun.sleep(20)
      }
    return Math.round(ms)
  }

  const found = await texts(ask)
  report.equalTexts = `${found.filter((one, i) => Bun.deepEquals(one, expected[i])).length} of ${expected.length}`
  say(`equal texts: ${report.equalTexts}`)
  report.apart = await rows(ask)

  const long = { max_new_tokens: 4000, ignore_eos: true }
  const cancelled: Record<string, number> = {}
  for (const [name, count, ms] of [
    ['64 streams, decoding', 64, 1500],
    ['64 streams, in prefill and transfer', 64, 60],
  ] as const) {
    const stop = new AbortController()
    const all = Array.from({ length: count }, (_, i) => ask(requestOf(ids(3000, i), long), stop.signal))
    await Bun.sleep(ms)
    stop.abort()
    cancelled[`${name}: all freed after ms`] = await freed()
    await Promise.all(all)
  }
  let worst = 0
  for (let ms = 0; ms < 60; ms += 3) {
    const stop = new AbortController()
    setTimeout(() => stop.abort(), ms)
    await ask(requestOf(ids(6000, ms), long), stop.signal)
    worst = Math.max(worst, await freed())
  }
  cancelled['one stream, 20 moments of its first 60 ms: freed after ms, worst'] = worst
  report.cancelled = cancelled
  say(JSON.stringify(cancelled))

  const lanes = Array.from({ length: 64 }, (_, i) => ask(requestOf(ids(3000, 500 + i), { max_new_tokens: 400, ignore_eos: true })))
  await Bun.sleep(100)
  const began = performance.now()
  process.kill(prefill.pids[1]!, 'SIGKILL')
  const ran = await Promise.all(lanes)
  const codes: Record<string, number> = {}
  for (const one of ran) {
    const key = one.error?.code ?? one.finish!.kind
    codes[key] = (codes[key] ?? 0) + 1
  }
  report.prefillKilled = { allOverAfterMs: Math.round(performance.now() - began), endings: codes }
  await until('the decode engine is empty', () => decode.inFlight() === 0, 5000)
  say(JSON.stringify(report.prefillKilled))
  await until('prefill is back', () => prefill.ready, 120_000)
  const again = await texts(ask)
  report.equalTextsAfterRestart = `${again.filter((one, i) => Bun.deepEquals(one, expected[i])).length} of ${expected.length}`
  report.booked = router.booked()
} finally {
  router.close()
  await Promise.all([prefill.stop(0), decode.stop(0)])
  const text = JSON.stringify(report, null, 1)
  console.log(text)
  if (options.out) writeFileSync(options.out, text)
}
process.exit(0)
