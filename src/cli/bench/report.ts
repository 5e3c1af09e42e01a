// What a load test says at its end: a table for people, a record for machines; both from the same numbers.
import type { Tally } from './load.ts'
import type { BenchOptions } from './options.ts'
import { type Summary, summarize } from './statistics.ts'

export interface ProcessCost {
  name: string
  pid: number
  cpuSecs: number
  /** CPU cores in use on average. */
  cores: number
  usPerOutputToken: number
  usPerRequest: number
  rssBytes: number
}

export interface Report {
  tool: string
  version: string
  runtime: string
  platform: string
  /** ISO time of the first measured request. */
  date: string
  command: string
  url: string
  model: string
  endpoint: string
  stream: boolean
  /** Null: no bound. */
  concurrency: number | null
  rate: number | null
  inputTokens: number
  outputTokens: number
  sharedPrefixTokens: number
  seed: number
  durationSecs: number
  requests: { sent: number; succeeded: number; failed: number; perSec: number }
  tokens: { output: number; outputPerSec: number; outputPerRequest: number; prompt: number; promptPerRequest: number; cached: number }
  /** Milliseconds; null where there was nothing to measure. */
  ttftMs: Summary | null
  itlMs: Summary | null
  tpotMs: Summary | null
  e2eMs: Summary | null
  errors: Record<string, number>
  processes: ProcessCost[]
}

export interface ReportFacts {
  options: BenchOptions
  model: string
  version: string
  startedDate: Date
  tally: Tally
  /** CPU seconds that each process used meanwhile, this one included. */
  processes: readonly { name: string; pid: number; cpuSecs: number; rssBytes: number }[]
}

export function makeReport({ options, model, version, startedDate, tally, processes }: ReportFacts): Report {
  const secs = Math.max(1e-9, (tally.endedAt - tally.startedAt) / 1000)
  const succeeded = tally.done - tally.failed
  const each = (total: number, count: number) => (count === 0 ? 0 : total / count)
  return {
    tool: 'dynamo-sglang bench',
    version,
    runtime: `bun ${Bun.version}`,
    platform: `${process.platform}-${process.arch}`,
    date: startedDate.toISOString(),
    command: options.command,
    url: options.url.href,
    model,
    endpoint: options.endpoint,
    stream: options.stream,
    concurrency: Number.isFinite(options.concurrency) ? options.concurrency : null,
    rate: options.rate ?? null,
    inputTokens: options.inputTokens,
    outputTokens: options.outputTokens,
    sharedPrefixTokens: options.sharedPrefixTokens,
    seed: options.seed,
    durationSecs: secs,
    requests: { sent: tally.sent, succeeded, failed: tally.failed, perSec: succeeded / secs },
    tokens: {
      output: tally.outputTokens,
      outputPerSec: tally.outputTokens / secs,
      outputPerRequest: each(tally.outputTokens, succeeded),
      prompt: tally.promptTokens,
      promptPerRequest: each(tally.promptTokens, succeeded),
      cached: tally.cachedTokens,
    },
    ttftMs: some(summarize(tally.ttftMs)),
    itlMs: some(tally.gaps.summary()),
    tpotMs: some(summarize(tally.tpotMs)),
    e2eMs: some(summarize(tally.totalMs)),
    errors: Object.fromEntries([...tally.errors].sort((a, b) => b[1] - a[1])),
    processes: processes.map((one) => ({
      ...one,
      cores: one.cpuSecs / secs,
      usPerOutputToken: each(one.cpuSecs * 1e6, tally.outputTokens),
      usPerRequest: each(one.cpuSecs * 1e6, succeeded),
    })),
  }
}

function some(summary: Summary): Summary | null {
  return summary.count === 0 ? null : summary
}

/** The same for a terminal. */
export function formatReport(report: Report): string {
  const { requests, tokens } = report
  const loop = report.rate === null ? `${report.concurrency} at a time` : `${report.rate} arrivals a second`
  const lines = [
    `${report.model} at ${report.url}`,
    `${report.endpoint}, ${report.stream ? 'streamed' : 'whole answers'}, ${loop}, ${number(report.durationSecs)} s`,
    '',
    row('requests', `${requests.succeeded} of ${requests.sent} succeeded, ${number(requests.perSec)}/s`),
    row('output tokens', `${tokens.output}, ${number(tokens.outputPerSec)}/s, ${number(tokens.outputPerRequest)} a request`),
    row('prompt tokens', `${tokens.prompt}, ${number(tokens.promptPerRequest)} a request, ${tokens.cached} from the cache`),
    '',
    row('ms', ['mean', 'p50', 'p90', 'p99', 'max'].map((name) => name.padStart(10)).join('')),
    ...timeRow('first token', report.ttftMs),
    ...timeRow('gap', report.itlMs),
    ...timeRow('per token', report.tpotMs),
    ...timeRow('whole', report.e2eMs),
  ]
  const errors = Object.entries(report.errors)
  if (errors.length > 0) lines.push('', 'errors', ...errors.map(([key, count]) => `${String(count).padStart(8)}  ${key}`))
  if (report.processes.length > 0) {
    lines.push('', row('CPU', ['s', 'cores', 'µs/token', 'µs/request', 'RSS MB'].map((name) => name.padStart(11)).join('')))
    for (const one of report.processes) {
      const cells = [one.cpuSecs, one.cores, one.usPerOutputToken, one.usPerRequest, one.rssBytes / 1e6]
      lines.push(row(`  ${one.name}`, cells.map((cell) => number(cell).padStart(11)).join('')))
    }
  }
  return `${lines.join('\n')}\n`
}

function timeRow(name: string, summary: Summary | null): string[] {
  if (summary === null) return []
  const { mean, p50, p90, p99, max } = summary
  return [row(`  ${name}`, [mean, p50, p90, p99, max].map((ms) => number(ms).padStart(10)).join(''))]
}

function row(name: string, text: string): string {
  return name.padEnd(16) + text
}

/** Three figures are enough for the eye. */
function number(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value >= 1 ? value.toFixed(2) : value.toFixed(3)
}
