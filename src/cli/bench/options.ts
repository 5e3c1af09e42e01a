// The bench command's flags, read into one checked record. The load test is a client of its own: it shares no setting with the server.
import { Command, InvalidArgumentError, Option } from 'commander'
import { AppError } from '../../lib/errors.ts'

export interface BenchOptions {
  /** Base of the API, without a trailing slash; `/v1` is added when it has no path. */
  url: URL
  /** Absent: the first model that /v1/models names. */
  model: string | undefined
  endpoint: 'chat' | 'completions'
  /** Requests at a time. Under `rate`: at most; Infinity when not given. */
  concurrency: number
  /** Mean arrivals a second (Poisson); absent: the closed loop. */
  rate: number | undefined
  /** Whichever comes first ends the run; at least one is finite. */
  numRequests: number
  durationSecs: number
  warmup: number
  inputTokens: number
  outputTokens: number
  sharedPrefixTokens: number
  stream: boolean
  ignoreEos: boolean
  extraBody: Record<string, unknown>
  seed: number
  timeoutSecs: number
  apiKey: string | undefined
  /** Takes any TLS certificate. */
  insecure: boolean
  json: string | undefined
  pids: { name: string; pid: number }[]
  /** The command line as given, the key blanked: for the report. */
  command: string
}

const defaultConcurrency = 64

/** Reads the flags; undefined: help was asked for and printed. Throws AppError `invalid_setting`. */
export function parseBenchOptions(argv: readonly string[]): BenchOptions | undefined {
  const command = define()
  try {
    command.parse([...argv], { from: 'user' })
  } catch (thrown) {
    const { code, message } = thrown as { code?: string; message: string }
    if (code === 'commander.helpDisplayed') return undefined
    throw wrong(message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' '))
  }
  const read = command.opts()
  const rate: number | undefined = read.rate
  const concurrency: number = read.concurrency ?? (rate === undefined ? defaultConcurrency : Number.POSITIVE_INFINITY)
  const durationSecs: number = read.durationSecs ?? Number.POSITIVE_INFINITY
  // Ten rounds, or ten seconds of arrivals, when nothing says how long.
  const enough = Math.ceil(10 * (rate ?? concurrency))
  const numRequests: number = read.numRequests ?? (read.durationSecs === undefined ? enough : Number.POSITIVE_INFINITY)
  if (read.sharedPrefixTokens > read.inputTokens) {
    throw wrong(`--shared-prefix-tokens (${read.sharedPrefixTokens}) is part of --input-tokens (${read.inputTokens}) and cannot be larger`)
  }
  return {
    url: read.url,
    model: read.model,
    endpoint: read.endpoint,
    concurrency,
    rate,
    numRequests,
    durationSecs,
    warmup: read.warmup,
    inputTokens: read.inputTokens,
    outputTokens: read.outputTokens,
    sharedPrefixTokens: read.sharedPrefixTokens,
    stream: read.stream,
    ignoreEos: read.ignoreEos ?? false,
    extraBody: read.extraBody ?? {},
    seed: read.seed,
    timeoutSecs: read.timeoutSecs,
    apiKey: read.apiKey,
    insecure: read.insecure ?? false,
    json: read.json,
    pids: read.pids ?? [],
    command: blankKey(argv),
  }
}

function define(): Command {
  return new Command('dynamo-sglang bench')
    .description('Load test of any OpenAI server: time to first token, gaps, rates and errors.')
    .option('--url <url>', 'the server; /v1 is added when the URL has no path', readUrl, new URL('http://127.0.0.1:8000'))
    .option('--model <name>', 'model to ask for (default: the first that the server names)')
    .addOption(new Option('--endpoint <name>', 'API to call').choices(['chat', 'completions']).default('chat'))
    .option('--concurrency <n>', `closed loop: requests at a time (default: ${defaultConcurrency}); with --rate: at most`, whole(1))
    .option('--rate <per second>', 'open loop: mean arrivals a second, Poisson distributed', above0)
    .option('--num-requests <n>', 'stop after this many (default: 10 rounds)', whole(1))
    .option('--duration-secs <s>', 'stop sending after this time', above0)
    .option('--warmup <n>', 'requests before the measurement, not counted', whole(0), 0)
    .option('--input-tokens <n>', 'words in a prompt, about a token each', whole(1), 128)
    .option('--output-tokens <n>', 'max_tokens of each request', whole(1), 128)
    .option('--shared-prefix-tokens <n>', 'words at the start of every prompt that are the same', whole(0), 0)
    .option('--stream', 'stream the answers', true)
    .option('--no-stream', 'ask for whole answers')
    .option('--ignore-eos', 'send ignore_eos, so that every answer has its full length')
    .option('--extra-body <json>', 'more fields for every request, as a JSON object', readObject)
    .option('--seed <n>', 'of prompts and arrivals', whole(0), 0)
    .option('--timeout-secs <s>', 'give a request up after this time', above0, 300)
    .option('--api-key <key>', 'sent as a bearer token')
    .option('--insecure', 'take any TLS certificate, also a self-signed one')
    .option('--json <file>', 'write the result there; - is stdout, in place of the table')
    .option('--pids <name=pid,…>', 'measure the CPU of these processes of this machine as well', readPids)
    .exitOverride()
    .configureOutput({ writeErr: () => {}, writeOut: (text) => process.stdout.write(text) })
}

function readUrl(text: string): URL {
  const url = URL.parse(/^[a-z]+:\/\//i.test(text) ? text : `http://${text}`)
  if (url === null || !/^https?:$/.test(url.protocol)) throw new InvalidArgumentError('It must be an http or https URL.')
  return url
}

function whole(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (Number.isSafeInteger(value) && value >= least) return value
    throw new InvalidArgumentError(`It must be a whole number of at least ${least}.`)
  }
}

function above0(text: string): number {
  const value = Number(text)
  if (value > 0 && Number.isFinite(value)) return value
  throw new InvalidArgumentError('It must be a number above 0.')
}

function readObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch (cause) {
    throw new InvalidArgumentError(`It must be a JSON object (${(cause as Error).message}).`)
  }
  throw new InvalidArgumentError('It must be a JSON object.')
}

function readPids(text: string): { name: string; pid: number }[] {
  return text.split(',').map((part) => {
    const [, name, pid] = /^(?:([^=]+)=)?(\d+)$/.exec(part) ?? []
    if (pid === undefined) throw new InvalidArgumentError('It must be a list like server=123,client=456.')
    return { name: name ?? pid, pid: Number(pid) }
  })
}

function blankKey(argv: readonly string[]): string {
  const shown = argv.map((word, i) => (argv[i - 1] === '--api-key' ? '***' : word.replace(/^--api-key=.*/s, '--api-key=***')))
  return [
    'dynamo-sglang',
    'bench',
    ...shown.map((word) => (/^[\w./:=,@+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)),
  ].join(' ')
}

function wrong(message: string): AppError {
  return new AppError('invalid_setting', { message: `bench: ${message}` })
}
