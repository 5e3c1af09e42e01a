// One engine a GPU behind one `serve --workers N`: tokens a second by N, and prompts that go back to the worker that holds them.
import { load, median, shown } from './load.ts'
import { firstModel, logOf, newPort, type Plan, type Report, workersOf } from './plan.ts'
import { ready, run } from './processes.ts'
import { complete, promptIds } from './streams.ts'

const rounds = 2

/** Starts `serve --workers count`, measures, stops. `more` are flags of ours. */
export async function measureCopies(
  plan: Plan,
  report: Report,
  count: number,
  concurrencies: number[],
  more: string[] = [],
): Promise<void> {
  const name = ['workers', count, ...more.map((flag) => flag.replace(/^--/, ''))].join('-')
  const port = newPort()
  const url = `http://127.0.0.1:${port}`
  const command = [plan.binary, 'serve', '--model-path', plan.model, '--workers', String(count), '--router-mode', 'kv']
  command.push('--http-host', '127.0.0.1', '--http-port', String(port), ...plan.engineFlags, ...more)
  const server = run(command, logOf(plan, name), { DYN_SYSTEM_PORT: String(newPort()) })
  try {
    const readySecs = await report.step(`${name}: ready, secs`, plan.readySecs, () =>
      ready(name, server, async () => (await workersOf(url)).filter((one) => one.ready).length === count, plan.readySecs),
    )
    if (readySecs === undefined) return
    const model = (await firstModel(url))!
    const { client, inputWords, outputTokens } = plan
    for (const concurrency of concurrencies)
      await report.step(`${name}: c=${concurrency}`, 100 * rounds, async () => {
        const rows = []
        for (let round = 0; round < rounds; round++)
          rows.push(load({ client, url, model, concurrency, pid: server.pid, inputWords, outputTokens }))
        return { medianTokPerSec: Math.round(median(rows.map((row) => row.tok_per_s))), rows: rows.map(shown), cpu: rows.at(-1)!.procs }
      })
    if (count > 1) await report.step(`${name}: prompts come back`, 60, () => promptsComeBack(plan, url, model))
    report.note(`${name}: workers at the end`, await workersOf(url))
  } finally {
    await server.stop()
  }
}

/** 32 different long prompts, 8 at a time, then the same with another ending in another order: where they go, and how much of them is cached there. */
async function promptsComeBack(plan: Plan, url: string, model: string) {
  const length = plan.longPrompt / 2
  const numbers = Array.from({ length: 32 }, (_, i) => i)
  const ask = async (order: number[], ending: number) => {
    const answers = new Map<number, Awaited<ReturnType<typeof complete>>>()
    const todo = [...order]
    const lane = async () => {
      for (let i = todo.shift(); i !== undefined; i = todo.shift()) {
        const prompt = [...promptIds(length, 5000 + i), ...promptIds(20, 6000 + ending)]
        answers.set(i, await complete({ url, model, prompt, tokens: 16 }))
      }
    }
    await Promise.all(Array.from({ length: 8 }, lane))
    return answers
  }
  const first = await ask(numbers, 1)
  await Bun.sleep(500)
  const again = await ask(
    numbers.map((i) => (i * 13) % 32),
    2,
  )
  const places: Record<string, number> = {}
  for (const { workerId } of first.values()) places[workerId ?? 'none'] = (places[workerId ?? 'none'] ?? 0) + 1
  const sum = (answers: typeof first, of: 'cachedTokens' | 'promptTokens') => [...answers.values()].reduce((all, one) => all + one[of], 0)
  return {
    prompts: numbers.length,
    tokensEach: length + 20,
    statuses: [...new Set([...first.values(), ...again.values()].map((one) => one.status))],
    firstTime: { places, cachedPart: part(sum(first, 'cachedTokens'), sum(first, 'promptTokens')), ms: medianMs(first) },
    secondTime: {
      sameWorker: numbers.filter((i) => first.get(i)!.workerId === again.get(i)!.workerId).length,
      cachedPart: part(sum(again, 'cachedTokens'), sum(again, 'promptTokens')),
      ms: medianMs(again),
    },
  }
}

const part = (some: number, all: number) => Math.round((some / all) * 1000) / 1000
const medianMs = (answers: Map<number, { ms: number }>) => Math.round(median([...answers.values()].map((one) => one.ms)) * 10) / 10
