// `bun test/gpu/failures.ts`: on a GPU, what clients see when they leave, when the scheduler is killed and when we are killed. Prints one JSON object.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { contenders, modelName, startContender } from './contenders.ts'
import { describeMachine, engineFlags, gpuBusyPercent, gpuMemoryMiB } from './machine.ts'
import { alive, family, msUntil } from './processes.ts'
import { writeShape } from './shapes.ts'

const { values: options } = parseArgs({
  options: {
    python: { type: 'string', default: 'python3' },
    binary: { type: 'string', default: 'dist/dynamo-sglang' },
    tokenizer: { type: 'string', default: 'models/tiny-llm' },
    work: { type: 'string', default: '/tmp/dynamo-sglang-gpu' },
    streams: { type: 'string', default: '64' },
    out: { type: 'string' },
  },
})
const streams = Number(options.streams)
const folder = join(options.work, 'q06')
mkdirSync(options.work, { recursive: true })
writeShape(folder, 'q06', options.tokenizer)
const port = 21890
const at = { model: folder, port, python: options.python, binary: options.binary, engineFlags: [...engineFlags] }
const command = contenders.find((one) => one.name === 'ours')!.command(at)
const idleMiB = gpuMemoryMiB()
const server = await startContender(command, port, join(options.work, 'failures.log'), 240)
const model = await modelName(server.url)

async function inFlight(): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text()
  return [...text.matchAll(/^dynamo_frontend_inflight_requests(?:\{[^}]*\})? (\S+)/gm)].reduce((sum, one) => sum + Number(one[1]), 0)
}

interface Stream {
  firstEvent: Promise<void>
  /** Everything it was sent, once it ended; and when, on performance.now()'s clock. */
  ended: Promise<{ text: string; at: number }>
  leave(): void
}

function openStream(number: number): Stream {
  const leaving = new AbortController()
  const first = Promise.withResolvers<void>()
  const ended = (async () => {
    let text = ''
    try {
      const answer = await fetch(`${server.url}/v1/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model, prompt: `Story ${number}:`, max_tokens: 8000, ignore_eos: true, stream: true }),
        signal: leaving.signal,
      })
      const decoder = new TextDecoder()
      for await (const chunk of answer.body!) {
        text += decoder.decode(chunk, { stream: true })
        first.resolve()
      }
    } catch (error) {
      text += `\n(connection: ${error instanceof Error ? error.message : error})`
    }
    first.resolve()
    return { text, at: performance.now() }
  })()
  return { firstEvent: first.promise, ended, leave: () => leaving.abort() }
}

async function openStreams(): Promise<Stream[]> {
  const open = Array.from({ length: streams }, (_, number) => openStream(number))
  await Promise.all(open.map((one) => one.firstEvent))
  await Bun.sleep(1000)
  return open
}

async function answers(): Promise<boolean> {
  const answer = await fetch(`${server.url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model, prompt: 'Hello', max_tokens: 8, ignore_eos: true }),
    signal: AbortSignal.timeout(10_000),
  }).catch(() => undefined)
  if (answer?.status !== 200) return false
  return ((await answer.json()) as { usage: { completion_tokens: number } }).usage.completion_tokens === 8
}

async function clientsLeave() {
  const open = await openStreams()
  const before = { inFlight: await inFlight(), gpuBusyPercent: gpuBusyPercent() }
  for (const one of open) one.leave()
  const nothingInFlightMs = await msUntil(async () => (await inFlight()) === 0)
  await Bun.sleep(2000) // nvidia-smi looks back up to a second
  return { before, nothingInFlightMs, gpuBusyPercentAfter2s: gpuBusyPercent(), answersAfter: await answers() }
}

async function schedulerIsKilled() {
  const old = family(server.pid)
  const scheduler = [...old].find(([, name]) => name.includes('scheduler'))
  if (scheduler === undefined) return { processes: [...old.values()], error: 'no process calls itself scheduler' }
  const open = await openStreams()
  const usedMiB = gpuMemoryMiB()
  const killed = performance.now()
  process.kill(scheduler[0], 'SIGKILL')
  let freedMs: number | null = null
  const freed = msUntil(() => gpuMemoryMiB() < idleMiB + 1000).then((ms) => {
    freedMs = ms
  })
  const gone = msUntil(() => ![...old.keys()].some(alive))
  const ends = await Promise.all(open.map((one) => one.ended))
  const endMs = ends.map((one) => one.at - killed).sort((a, b) => a - b)
  const goneMs = await gone
  await freed
  const refused = await fetch(`${server.url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model, prompt: 'Hello', max_tokens: 8 }),
  })
  const while_down = { status: refused.status, retryAfter: refused.headers.get('retry-after'), body: (await refused.text()).slice(0, 300) }
  const back = await msUntil(answers, 240_000)
  return {
    killed: scheduler[1],
    processesBefore: [...old.values()],
    usedMiB,
    streamsEndedMs: { first: Math.round(endMs[0]!), last: Math.round(endMs.at(-1)!) },
    streamsWithErrorEvent: ends.filter((one) => /data: .*"error"/.test(one.text)).length,
    lastWords: ends[0]!.text.slice(-400),
    oldProcessesGoneMs: goneMs,
    gpuMemoryFreedMs: freedMs,
    whileDown: while_down,
    answersAgainSecs: back === null ? null : Math.round((performance.now() - killed) / 100) / 10,
    inFlightAfter: await inFlight(),
  }
}

/** The last one: our own process is killed without a chance to clean up. */
async function weAreKilled() {
  const old = family(server.pid)
  const open = await openStreams()
  process.kill(server.pid, 'SIGKILL')
  const goneMs = await msUntil(() => ![...old.keys()].some(alive))
  const gpuMemoryFreedMs = await msUntil(() => gpuMemoryMiB() < idleMiB + 1000)
  await Promise.all(open.map((one) => one.ended))
  return {
    processes: old.size,
    allGoneMs: goneMs,
    gpuMemoryFreedMs,
    leftBehind: [...old].filter(([pid]) => alive(pid)).map(([, name]) => name),
  }
}

const result = {
  date: new Date().toISOString(),
  machine: describeMachine(options.python, options.binary),
  command: command.slice(1).join(' '),
  streams,
  clientsLeave: await clientsLeave(),
  schedulerIsKilled: await schedulerIsKilled(),
  weAreKilled: await weAreKilled(),
}
console.log(JSON.stringify(result, null, 1))
if (options.out !== undefined) writeFileSync(options.out, `${JSON.stringify(result, null, 1)}\n`)
process.exit(0)
