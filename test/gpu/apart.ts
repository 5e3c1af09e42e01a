// Prefill and decode apart, through `worker`, `worker` and `frontend`: the aggregated engine's texts, speed, cancels at any moment, kill -9 of any part.
import { mkdirSync, mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { cancelled } from './cancel.ts'
import { killed } from './kill.ts'
import { load, shown } from './load.ts'
import { firstModel, logOf, newPort, type Plan, type Report, workersOf } from './plan.ts'
import { type Running, ready, run } from './processes.ts'
import { complete, promptIds } from './streams.ts'

/** Prompt lengths whose greedy answers are compared. */
const lengths = [1, 9, 40, 128, 300, 700, 1500, 4000]

export interface Side {
  role: 'prefill' | 'decode'
  process: Running
  /** Of its system port. */
  system: string
}

export interface Pair {
  plan: Plan
  url: string
  model: string
  frontend: Running
  prefill: Side
  decode: Side
}

/** The aggregated engine first, on the first GPU; then the pair: both on one GPU, or one each. */
export async function measureApart(plan: Plan, report: Report, concurrencies: number[], kills: string[]): Promise<void> {
  const expected = await aggregated(plan, report, concurrencies)
  const pair = await report.step('apart: ready', plan.readySecs * 2, () => startPair(plan))
  if (pair === undefined) return
  try {
    await report.step('apart: texts equal to aggregated', 90, async () => compare(await texts(pair.url, pair.model, plan), expected))
    await rows('apart', plan, report, pair, pair.frontend.pid, concurrencies)
    await cancelled(pair, report)
    for (const victim of kills) await killed(pair, report, victim, async () => compare(await texts(pair.url, pair.model, plan), expected))
    report.note('apart: workers at the end', await workersOf(pair.url))
  } finally {
    await Promise.all([pair.frontend, pair.prefill.process, pair.decode.process].map((one) => one.stop()))
  }
}

async function aggregated(plan: Plan, report: Report, concurrencies: number[]): Promise<string[]> {
  const port = newPort()
  const url = `http://127.0.0.1:${port}`
  const command = [plan.binary, 'serve', '--model-path', plan.model, '--http-host', '127.0.0.1', '--http-port', String(port)]
  const server = run([...command, ...flagsOf(plan)], logOf(plan, 'aggregated'))
  try {
    const secs = await report.step('aggregated: ready, secs', plan.readySecs, () =>
      ready('aggregated', server, async () => (await workersOf(url)).some((one) => one.ready), plan.readySecs),
    )
    if (secs === undefined) return []
    const model = (await firstModel(url))!
    const found = (await report.step('aggregated: texts', 90, () => texts(url, model, plan))) ?? []
    const again = await texts(url, model, plan)
    report.note('aggregated: asked again, equal', compare(again, found))
    await rows('aggregated', plan, report, { url, model }, server.pid, concurrencies)
    return found
  } finally {
    await server.stop()
  }
}

/** Later flags win. Pages as in workers that publish KV events; two engines share a GPU in the one-GPU case. */
function flagsOf(plan: Plan): string[] {
  const isMock = plan.engineFlags.includes('mock')
  return isMock ? plan.engineFlags : [...plan.engineFlags, '--mem-fraction-static', '0.3', '--page-size', '16']
}

async function startPair(plan: Plan): Promise<Pair & { secs: number }> {
  const began = performance.now()
  mkdirSync(plan.work, { recursive: true })
  const env = {
    ...{ DYN_DISCOVERY_BACKEND: 'file', DYN_FILE_KV: mkdtempSync(join(plan.work, 'cards-')), SGLANG_HOST_IP: '127.0.0.1' },
  }
  const isMock = plan.engineFlags.includes('mock')
  const side = (role: Side['role'], more: string[]): Side => {
    const system = newPort()
    const transfer = isMock ? [] : ['--disaggregation-transfer-backend', 'nixl']
    const command = [
      plan.binary,
      'worker',
      '--model-path',
      plan.model,
      '--disaggregation-mode',
      role,
      ...flagsOf(plan),
      ...transfer,
      ...more,
    ]
    return {
      role,
      process: run(command, logOf(plan, role), { ...env, DYN_SYSTEM_PORT: String(system) }),
      system: `http://127.0.0.1:${system}`,
    }
  }
  const port = newPort()
  const url = `http://127.0.0.1:${port}`
  const frontend = run([plan.binary, 'frontend', '--http-host', '127.0.0.1', '--http-port', String(port)], logOf(plan, 'frontend'), env)
  const started = [frontend]
  try {
    const prefill = side('prefill', [])
    started.push(prefill.process)
    const serves = (one: Side) => /Worker \S+ serves/.test(one.process.printed())
    // On one GPU the second engine may size its memory only when the first one has taken its own.
    if (plan.gpus === 1 && !isMock) await ready('prefill', prefill.process, () => serves(prefill), plan.readySecs)
    const decode = side('decode', plan.gpus > 1 && !isMock ? ['--base-gpu-id', '1'] : [])
    started.push(decode.process)
    for (const one of [prefill, decode]) await ready(one.role, one.process, () => serves(one), plan.readySecs)
    await ready('frontend', frontend, async () => (await workersOf(url)).filter((one) => one.ready).length === 2, 20)
    const model = (await firstModel(url))!
    const secs = Math.round(performance.now() - began) / 1000
    return { plan, url, model, frontend, prefill, decode, secs, toJSON: () => ({ secs }) } as Pair & { secs: number }
  } catch (error) {
    await Promise.all(started.map((one) => one.stop()))
    throw error
  }
}

/** Greedy answers of 48 tokens, one after the other, so that both sides compute with the same batches. */
async function texts(url: string, model: string, plan: Plan): Promise<string[]> {
  const found: string[] = []
  for (const [i, length] of lengths.entries()) {
    const answer = await complete({ url, model, prompt: promptIds(Math.min(length, plan.longPrompt), i), tokens: 48 })
    found.push(answer.status === 200 ? answer.text : `(${answer.status} ${answer.code})`)
  }
  return found
}

function compare(found: string[], expected: string[]) {
  return {
    equal: found.filter((text, i) => text === expected[i]).length,
    of: lengths.length,
    different: new Set(expected).size,
    firstDifferenceAt: found.map((text, i) =>
      text === expected[i] ? null : [...text].findIndex((letter, at) => letter !== expected[i]?.[at]),
    ),
    sample: found[3]?.slice(0, 80),
  }
}

async function rows(name: string, plan: Plan, report: Report, at: { url: string; model: string }, pid: number, concurrencies: number[]) {
  const { client, inputWords, outputTokens } = plan
  await report.step(`${name}: warm`, 60, async () =>
    shown(load({ client, ...at, concurrency: 16, pid, inputWords, outputTokens: 16, requests: 32 })),
  )
  for (const concurrency of concurrencies)
    await report.step(`${name}: c=${concurrency}`, 100, async () =>
      shown(load({ client, ...at, concurrency, pid, inputWords, outputTokens })),
    )
  const long = { inputWords: Math.round(plan.longPrompt / 2.2), outputTokens: 64, concurrency: 16 }
  await report.step(`${name}: ${long.inputWords} words in, 64 out, c=16`, 100, async () => shown(load({ client, ...at, pid, ...long })))
}
