// `dynamo-sglang bench`: puts load on any OpenAI server and says what came back. Exit code 1 when every request failed.
import { AppError } from '../../lib/errors.ts'
import { version } from '../version.ts'
import { ConnectionPool } from './connection.ts'
import { type Load, newTally, runLoad, type Tally } from './load.ts'
import { type BenchOptions, parseBenchOptions } from './options.ts'
import { sampleProcess } from './processes.ts'
import { startProgress } from './progress.ts'
import { promptMaker } from './prompts.ts'
import { formatReport, makeReport } from './report.ts'
import { apiUrl, firstModel, requestMaker } from './request.ts'

/** Runs the command; resolves with the exit code. Throws AppError for flags and servers that make no test possible. */
export async function runBench(argv: string[]): Promise<number> {
  const options = parseBenchOptions(argv)
  if (options === undefined) return 0
  const model = options.model ?? (await firstModel(options))
  const stop = new AbortController()
  // The first ^C ends the test early and still reports; the second one is the shell's own.
  const onInterrupt = () => {
    process.stderr.write('\nbench: waiting for the requests that run; ^C again ends at once\n')
    stop.abort()
  }
  process.once('SIGINT', onInterrupt)
  const pool = new ConnectionPool(apiUrl(options.url), options.insecure)
  try {
    const load = makeLoad(options, model, pool, stop.signal)
    if (options.warmup > 0)
      await runLoad(
        {
          ...load,
          rate: undefined,
          concurrency: Math.min(load.concurrency, options.warmup),
          numRequests: options.warmup,
          durationSecs: Number.POSITIVE_INFINITY,
        },
        newTally(),
      )
    const watched = [{ name: 'bench', pid: process.pid }, ...options.pids]
    const before = watched.map((one) => sampleProcess(one.pid))
    const startedDate = new Date()
    const tally = newTally()
    const progress = startProgress(tally, () => share(options, tally))
    try {
      await runLoad(load, tally, options.warmup)
    } finally {
      progress.stop()
    }
    const processes = watched.map((one, i) => {
      const after = sampleProcess(one.pid)
      return { ...one, cpuSecs: after.cpuSecs - before[i]!.cpuSecs, rssBytes: after.rssBytes }
    })
    await show(options, makeReport({ options, model, version, startedDate, tally, processes }))
    return tally.done > tally.failed ? 0 : 1
  } finally {
    process.off('SIGINT', onInterrupt)
    pool.close()
  }
}

function makeLoad(options: BenchOptions, model: string, pool: ConnectionPool, signal: AbortSignal): Load {
  const { stream, concurrency, rate, numRequests, durationSecs, timeoutSecs, seed } = options
  const request = requestMaker(options, model, promptMaker(options))
  return { pool, request, stream, concurrency, rate, numRequests, durationSecs, timeoutSecs, seed, signal }
}

function share(options: BenchOptions, tally: Tally): number {
  return Math.max(tally.done / options.numRequests, (performance.now() - tally.startedAt) / 1000 / options.durationSecs)
}

async function show(options: BenchOptions, report: ReturnType<typeof makeReport>): Promise<void> {
  const json = `${JSON.stringify(report, null, 2)}\n`
  if (options.json === '-') {
    process.stdout.write(json)
    return
  }
  process.stdout.write(formatReport(report))
  if (options.json === undefined) return
  try {
    await Bun.write(options.json, json)
  } catch (cause) {
    throw new AppError('invalid_setting', {
      param: '--json',
      message: `bench: cannot write ${options.json}: ${(cause as Error).message}`,
      cause,
    })
  }
}
