// The load of a GPU measurement: an OpenAI load generator of its own process, which prints one JSON line.
export interface Row {
  req_per_s: number
  tok_per_s: number
  errors: Record<string, number>
  ttft_ms?: { p50: number; p99: number }
  tpot_req_ms?: { p50: number; p99: number }
  latency_ms: { p50: number; p99: number }
  [more: string]: unknown
}

export interface Load {
  client: string
  url: string
  model: string
  concurrency: number
  /** The server's process, for its CPU time and memory. */
  pid: number
  inputWords: number
  outputTokens: number
  /** Default: 8 for each stream, 4 above 256 streams. The client starts no new request after 10 s. */
  requests?: number
}

/** A closed loop of streamed chats with unique prompts, after one request a connection that does not count. Throws with the client's words. */
export function load({ client, url, model, concurrency, pid, inputWords, outputTokens, requests }: Load): Row {
  const count = requests ?? (concurrency === 1 ? 8 : concurrency * (concurrency > 256 ? 4 : 8))
  const command = [
    client,
    '-url',
    url,
    '-model',
    model,
    '-stream',
    '-c',
    String(concurrency),
    '-n',
    String(count),
    '-pids',
    `server=${pid}`,
  ]
  command.push('-in', String(inputWords), '-out', String(outputTokens), '-warm', '1', '-extra', '{"temperature":1.0}')
  const ran = Bun.spawnSync(command, { stdout: 'pipe', stderr: 'pipe', timeout: 90_000 })
  const line = ran.stdout.toString().trim().split('\n').at(-1) ?? ''
  if (!line.startsWith('{')) throw new Error(`the load client failed: ${ran.stderr.toString().slice(-1000)}`)
  return JSON.parse(line)
}

/** What a table shows of a row. */
export function shown(row: Row) {
  const { tok_per_s, req_per_s, ttft_ms, tpot_req_ms, errors } = row
  return {
    tokPerSec: Math.round(tok_per_s),
    reqPerSec: Math.round(req_per_s * 10) / 10,
    ttftP50: ttft_ms?.p50,
    ttftP99: ttft_ms?.p99,
    tpotP50: tpot_req_ms?.p50,
    ...(Object.keys(errors).length > 0 && { errors }),
  }
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
