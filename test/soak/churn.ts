// Streams under way while workers die or leave and others join: what the clients see, and what is left behind.
import { chat, type Fleet, type FleetWorker } from '../helpers/processes/fleet.ts'
import { until } from '../helpers/run-request.ts'
import { sseEvents } from '../helpers/sse.ts'

export interface ChurnOptions {
  fleet: Fleet
  url: string
  streams: number
  workers: number
  /** How long new streams are begun. */
  ms: number
  /** Between two events; each takes one worker away and brings another. */
  everyMs: number
  /** `kill`: no warning. `leave`: SIGTERM. */
  how: 'kill' | 'leave'
  maxTokens: number
  workerArgs?: string[]
  seed?: number
}

export interface ChurnReport {
  answers: number
  tokens: number
  /** Streams that ended with an error or another text than undisturbed. */
  failed: string[]
  wrong: string[]
  events: number
  /** Longest silence of each stream, in ms: of the whole run, p50 / p99 / most. */
  gapMs: { p50: number; p99: number; most: number }
  migrations: number
}

interface Streamed {
  text: string
  tokens: number
  longestGapMs: number
}

/** Runs the churn on a fleet whose frontend listens at `url`; workers are started here. */
export async function churn(options: ChurnOptions): Promise<ChurnReport> {
  const { fleet, url, streams, maxTokens } = options
  let state = options.seed ?? 1
  const dice = (sides: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * sides)
  }
  const args = options.workerArgs ?? []
  const workers: FleetWorker[] = await Promise.all(Array.from({ length: options.workers }, () => fleet.worker(args)))
  await until('the model is served', async () => (await chat(url, 'Hello')).ok)
  const prompts = Array.from({ length: 24 }, (_, i) => `Story number ${i}, please, with all its details and a happy end.`)
  const calm = await Promise.all(prompts.map((prompt) => streamed(url, prompt, maxTokens)))
  const report: ChurnReport = {
    answers: 0,
    tokens: 0,
    failed: [],
    wrong: [],
    events: 0,
    gapMs: { p50: 0, p99: 0, most: 0 },
    migrations: 0,
  }
  const gaps: number[] = []
  const end = performance.now() + options.ms
  const leaving: Promise<unknown>[] = []

  async function client(first: number): Promise<void> {
    for (let i = first; performance.now() < end; i += 7) {
      const at = i % prompts.length
      try {
        const answer = await streamed(url, prompts[at]!, maxTokens)
        report.answers++
        report.tokens += answer.tokens
        gaps.push(answer.longestGapMs)
        if (answer.text !== calm[at]!.text) report.wrong.push(`${at}: …${answer.text.slice(-80)}`)
      } catch (error) {
        report.failed.push(String(error))
      }
    }
  }
  async function trouble(): Promise<void> {
    while (performance.now() < end) {
      await Bun.sleep(options.everyMs)
      const joining = fleet.worker(args)
      const [gone] = workers.splice(dice(workers.length), 1)
      if (options.how === 'kill') await gone!.kill()
      else leaving.push(gone!.stop(60_000))
      workers.push(await joining)
      report.events++
    }
  }
  await Promise.all([trouble(), ...Array.from({ length: streams }, (_, i) => client(i))])
  await Promise.all(leaving)
  gaps.sort((a, b) => a - b)
  const quantile = (part: number) => Math.round(gaps[Math.min(gaps.length - 1, Math.floor(gaps.length * part))] ?? 0)
  report.gapMs = { p50: quantile(0.5), p99: quantile(0.99), most: quantile(1) }
  report.migrations = await sumOf(url, 'migrations_total')
  return report
}

/** What every router still has booked: 0 when nothing runs. */
export async function bookedNow(url: string): Promise<number> {
  const { workers } = (await (await fetch(`${url}/debug/workers`)).json()) as {
    workers: { ranks: { booked: { prefillTokens: number; decodeBlocks: number; requests: number } }[] }[]
  }
  let sum = 0
  for (const { ranks } of workers) for (const { booked } of ranks) sum += booked.prefillTokens + booked.decodeBlocks + booked.requests
  return sum
}

/** Sum of the samples of every metric whose name ends so. */
export async function sumOf(url: string, ending: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  let sum = 0
  for (const [, name, value] of text.matchAll(/^(\w+)(?:\{[^}]*\})? (\S+)$/gm)) if (name!.endsWith(ending)) sum += Number(value)
  return sum
}

async function streamed(url: string, prompt: string, maxTokens: number): Promise<Streamed> {
  const response = await chat(url, prompt, { maxTokens, more: { stream: true } })
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`)
  const result: Streamed = { text: '', tokens: 0, longestGapMs: 0 }
  let last = performance.now()
  let finished = false
  for await (const data of sseEvents(response.body!)) {
    const now = performance.now()
    if (result.tokens > 0) result.longestGapMs = Math.max(result.longestGapMs, now - last)
    last = now
    if (data === '[DONE]') finished = true
    if (!data.startsWith('{')) continue
    const event = JSON.parse(data)
    if (event.error !== undefined) throw new Error(event.error.message)
    const delta = event.choices[0]?.delta?.content
    if (!delta) continue
    result.text += delta
    result.tokens++
  }
  if (!finished) throw new Error('the stream ended without [DONE]')
  return result
}
