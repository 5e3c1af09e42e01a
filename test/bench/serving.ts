// What a request and a token cost the server: the executable with the mock engine, in turns with peers that already run.
// PEERS="name=url,model,pid …" (and PEERS_PACED for ones whose engine runs at a GPU's pace) adds them; MODEL names the model folder of ours;
// ROUNDS repeats; OUT keeps the rows as JSON. CPU is the front end's for a peer, front end and mock engine together for us.
import { writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { productCommand, type Started, start } from '../helpers/processes/start.ts'

interface Target {
  name: string
  url: string
  model: string
  pid: number
}

/** Flags of `dynamo-sglang bench`; `paced` rows run on engines with a GPU's pace. */
const loads = [
  { row: 'short, c=1', flags: '--no-stream --concurrency 1 --input-tokens 32 --output-tokens 1', paced: false },
  { row: 'short, c=64', flags: '--no-stream --concurrency 64 --input-tokens 32 --output-tokens 1', paced: false },
  { row: 'first token, c=1', flags: '--concurrency 1 --input-tokens 32 --output-tokens 2', paced: false },
  { row: 'burst stream, c=64', flags: '--concurrency 64 --input-tokens 32 --output-tokens 256', paced: false },
  {
    row: 'long prompt, 97 % shared, c=16',
    flags: '--concurrency 16 --input-tokens 3300 --shared-prefix-tokens 3200 --output-tokens 16',
    paced: false,
  },
  { row: 'paced stream, c=64', flags: '--concurrency 64 --input-tokens 32 --output-tokens 256', paced: true },
  { row: 'paced stream, c=256', flags: '--concurrency 256 --input-tokens 32 --output-tokens 256', paced: true },
]

const peers = (text = ''): Target[] =>
  text
    .split(' ')
    .filter(Boolean)
    .map((one) => {
      const [name, rest] = one.split(/=(.*)/s)
      const [url, model, pid] = rest!.split(',')
      return { name: name!, url: url!, model: model!, pid: Number(pid) }
    })

function measure(target: Target, flags: string) {
  const common = [
    '--url',
    target.url,
    '--model',
    target.model,
    '--duration-secs',
    process.env.SECS ?? '4',
    '--ignore-eos',
    '--warmup',
    '64',
  ]
  const command = [...productCommand(), 'bench', ...common, ...flags.split(' '), '--json', '-', '--pids', `server=${target.pid}`]
  const ran = Bun.spawnSync(command, { stdout: 'pipe', stderr: 'pipe' })
  const result = JSON.parse(ran.stdout.toString())
  const server = result.processes.find((one: { name: string }) => one.name === 'server')
  return {
    requestsPerSec: round(result.requests.perSec),
    tokensPerSec: round(result.tokens.outputPerSec),
    cpuMsPerRequest: round(server.usPerRequest / 1000),
    cpuUsPerToken: round(server.usPerOutputToken),
    ttftMsP50: round(result.ttftMs?.p50),
    ttftMsP99: round(result.ttftMs?.p99),
    promptTokens: round(result.tokens.promptPerRequest),
    rssMb: Math.round(server.rssBytes / 1e6),
    failed: result.requests.failed,
    load: loadavg()[0],
  }
}

const round = (value: number | undefined) => (value === undefined ? undefined : Number(value.toPrecision(4)))

const model = process.env.MODEL ?? 'models/tiny-llm'
const served = ['--served-model-name', 'tiny', '--dyn-log-level', 'warn']
const asTarget = (server: Started): Target => ({ name: 'ours', url: server.url, model: 'tiny', pid: server.pid })
const rows: unknown[] = []
const atOnce = await start({ args: ['--model-path', model, ...served] })
const paced = await start({ args: ['--model-path', model, ...served, '--speedup-ratio', '1'] })
for (let round = 1; round <= Number(process.env.ROUNDS ?? 1); round++)
  for (const { row, flags, paced: isPaced } of loads) {
    const targets = isPaced ? [asTarget(paced), ...peers(process.env.PEERS_PACED)] : [asTarget(atOnce), ...peers(process.env.PEERS)]
    for (const target of targets) {
      const result = { row, target: target.name, round, ...measure(target, flags) }
      rows.push(result)
      console.log(JSON.stringify(result))
    }
  }
await Promise.all([atOnce.stop(), paced.stop()])
if (process.env.OUT) {
  const command = 'bun run bench serving'
  writeFileSync(
    join(process.env.OUT),
    `${JSON.stringify({ date: new Date().toISOString(), command, cpus: navigator.hardwareConcurrency, rows }, null, 1)}\n`,
  )
}
