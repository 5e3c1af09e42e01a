// Routing on a trace against real processes: an open loop sends the trace's prompts at their times and says what came back.
//   bun test/bench/trace/live.ts --trace FILE                       our `serve --workers 8` in each mode, in turns
//   bun test/bench/trace/live.ts --trace FILE --url URL --model M   any OpenAI server
// Each prefix hash becomes a fixed run of words, so equal hashes are equal text; the end of each prompt is its own.
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { start } from '../../helpers/processes/start.ts'
import { readLines, type TraceLine } from './read-trace.ts'

const { values } = parseArgs({
  options: {
    trace: { type: 'string' },
    url: { type: 'string' },
    model: { type: 'string', default: 'models/tiny-llm' },
    'model-path': { type: 'string', default: 'models/tiny-llm' },
    speed: { type: 'string', default: '15' },
    requests: { type: 'string', default: '2500' },
    skip: { type: 'string', default: '0' },
    words: { type: 'string', default: '128' },
    'max-out': { type: 'string', default: '32' },
    workers: { type: 'string', default: '8' },
    block: { type: 'string', default: '16' },
    blocks: { type: 'string', default: '16384' },
    modes: { type: 'string', default: 'kv,kv/dynamo,kv/approximate,least-loaded,round-robin' },
  },
})
if (values.trace === undefined) {
  console.log('no --trace FILE given (a Mooncake trace, .jsonl or .jsonl.xz): nothing to do')
  process.exit(0)
}
const [speed, words, mostOut] = [Number(values.speed), Number(values.words), Number(values['max-out'])]
const lines = (await readLines(values.trace)).slice(Number(values.skip), Number(values.skip) + Number(values.requests))
const vocabulary =
  'the of and to in is that for it as was with be by on not he his but at are this have from or had an they which one you were all her she there would their we him been has when who will no more if out so up said what its about than into them can only other time new some could these two may first then do any like my now over such our man me even most made after also did many off before must well back through years much where your way down should because each just those people how too little state good very make world still see own men work long here get both between life being under never day same another know while last might us great old year come since go against came right used take three'.split(
    ' ',
  )

/** `count` words that are the same for the same seed. */
function text(seed: number, count: number): string {
  let state = (Math.imul(seed, 2654435761) ^ 0x9e3779b9) >>> 0
  const drawn: string[] = []
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    drawn.push(vocabulary[(state >>> 9) % vocabulary.length]!)
  }
  return drawn.join(' ')
}

const units = new Map<number, string>()
function promptOf(line: TraceLine, index: number): string {
  const parts = line.hash_ids.slice(0, -1).map((hash) => {
    const known = units.get(hash) ?? text(hash, words)
    units.set(hash, known)
    return known
  })
  parts.push(text(1_000_000_000 + index, Math.max(1, Math.floor((words * (line.input_length % 512)) / 512))))
  return parts.join(' ')
}

interface Totals {
  ttft: number[]
  latency: number[]
  errors: Record<string, number>
  workers: Record<string, number>
  prompt: number
  cached: number
  lateMs: number
}

async function one(url: string, line: TraceLine, index: number, totals: Totals): Promise<void> {
  const body = JSON.stringify({
    model: values.model,
    messages: [{ role: 'user', content: promptOf(line, index) }],
    stream: true,
    ignore_eos: true,
    temperature: 0,
    max_tokens: Math.max(1, Math.min(mostOut, Math.floor((line.output_length * words) / 512))),
    stream_options: { include_usage: true },
  })
  const began = performance.now()
  const fail = (what: string) => {
    totals.errors[what] = (totals.errors[what] ?? 0) + 1
  }
  try {
    const response = await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    if (!response.ok) return fail(String(response.status))
    let first = 0
    let tail = ''
    const decoder = new TextDecoder()
    for await (const bytes of response.body!) {
      if (first === 0) first = performance.now() - began
      tail = (tail + decoder.decode(bytes, { stream: true })).slice(-1500)
    }
    const usage = JSON.parse(/"usage":\s*(\{"prompt_tokens".*?\}\s*(?:,"completion_tokens_details":\{.*?\})?\})/.exec(tail)?.[1] ?? '{}')
    totals.prompt += usage.prompt_tokens ?? 0
    totals.cached += usage.prompt_tokens_details?.cached_tokens ?? 0
    totals.ttft.push(first)
    totals.latency.push(performance.now() - began)
    const worker = response.headers.get('x-worker-id') ?? /"decode_worker_id":\s*"?(\d+)/.exec(tail)?.[1] ?? 'unknown'
    totals.workers[worker] = (totals.workers[worker] ?? 0) + 1
  } catch (error) {
    fail(error instanceof Error ? error.name : 'Error')
  }
}

/** Sends the whole trace; resolves when the last answer is in. */
async function replay(url: string): Promise<Record<string, unknown>> {
  const totals: Totals = { ttft: [], latency: [], errors: {}, workers: {}, prompt: 0, cached: 0, lateMs: 0 }
  const began = performance.now()
  const running: Promise<void>[] = []
  for (const [i, line] of lines.entries()) {
    const due = (line.timestamp - lines[0]!.timestamp) / speed
    const wait = due - (performance.now() - began)
    if (wait > 0) await Bun.sleep(wait)
    else totals.lateMs = Math.max(totals.lateMs, -wait)
    running.push(one(url, line, i, totals))
  }
  await Promise.all(running)
  const quantile = (list: number[], part: number) =>
    Math.round([...list].sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * part))] ?? 0)
  return {
    answers: totals.ttft.length,
    errors: totals.errors,
    prompt_tokens: totals.prompt,
    hit_rate: Math.round((10_000 * totals.cached) / totals.prompt) / 10_000,
    ttft_ms: { p50: quantile(totals.ttft, 0.5), p90: quantile(totals.ttft, 0.9), p99: quantile(totals.ttft, 0.99) },
    latency_ms: { p50: quantile(totals.latency, 0.5), p99: quantile(totals.latency, 0.99) },
    per_worker: Object.values(totals.workers).sort((a, b) => a - b),
    late_ms: Math.round(totals.lateMs),
    load: Number((await Bun.file('/proc/loadavg').text()).split(' ')[0]),
  }
}

if (values.url !== undefined) console.log(JSON.stringify(await replay(values.url)))
else
  for (const mode of values.modes.split(',')) {
    const [name, detail] = mode.split('/') as [string, string | undefined]
    const more = detail === undefined ? [] : detail === 'approximate' ? ['--no-router-kv-events'] : ['--router-cost', detail]
    const args = ['--workers', values.workers, '--page-size', values.block, '--num-gpu-blocks', values.blocks, '--context-length', '262144']
    const paced = [
      '--speedup-ratio',
      '1',
      '--dyn-log-level',
      'warn',
      '--model-path',
      values['model-path'],
      '--served-model-name',
      values.model,
    ]
    const server = await start({ args: [...paced, ...args, '--router-mode', name, ...more] })
    const cpu = () =>
      readFileSync(`/proc/${server.pid}/stat`, 'utf8')
        .split(' ')
        .slice(13, 15)
        .map(Number)
        .reduce((a, b) => a + b)
    const before = cpu()
    const result = await replay(server.url)
    console.log(JSON.stringify({ mode, ...result, cpu_ms_per_request: Math.round(((cpu() - before) * 10 * 100) / lines.length) / 100 }))
    await server.stop()
  }
