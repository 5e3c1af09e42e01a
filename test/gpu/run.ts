// `bun run test:gpu`: SSE throughput on a GPU, ours in turns with SGLang's own server, on the same engine flags and the same client.
// The client is an OpenAI load generator that prints one JSON line (fields as in `Row`).
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { contenders, modelName, startContender } from './contenders.ts'
import { engineFlags as commonFlags, describeMachine } from './machine.ts'
import { writeShape } from './shapes.ts'

const { values: options } = parseArgs({
  options: {
    shapes: { type: 'string', default: 'q06' },
    contenders: { type: 'string', default: 'ours,sglang,sglang-best' },
    concurrency: { type: 'string', default: '1,64,256,1024' },
    rounds: { type: 'string', default: '1' },
    python: { type: 'string', default: 'python3' },
    binary: { type: 'string', default: 'dist/dynamo-sglang' },
    tokenizer: { type: 'string', default: 'models/tiny-llm' },
    client: { type: 'string' },
    'engine-flags': { type: 'string', default: '' },
    work: { type: 'string', default: '/tmp/dynamo-sglang-gpu' },
    out: { type: 'string' },
    'input-words': { type: 'string', default: '128' },
    'output-tokens': { type: 'string', default: '256' },
  },
})

interface Row {
  req_per_s: number
  tok_per_s: number
  errors: Record<string, number>
  ttft_ms?: { p50: number; p99: number }
  gap_ms?: { p50: number; p99: number }
  latency_ms: { p50: number; p99: number }
  [more: string]: unknown
}

const engineFlags = [...commonFlags, ...options['engine-flags'].split(' ').filter(Boolean)]

function load(url: string, model: string, concurrency: number, pid: number): Row {
  if (options.client === undefined) throw new Error('name the load client: --client PATH')
  const requests = concurrency === 1 ? 8 : concurrency * (concurrency > 256 ? 4 : 8)
  const command = [
    options.client,
    '-url',
    url,
    '-model',
    model,
    '-stream',
    '-c',
    String(concurrency),
    '-n',
    String(requests),
    '-pids',
    `server=${pid}`,
  ]
  command.push('-in', options['input-words'], '-out', options['output-tokens'], '-warm', '1', '-extra', '{"temperature":1.0}')
  const ran = Bun.spawnSync(command, { stdout: 'pipe', stderr: 'pipe' })
  const line = ran.stdout.toString().trim().split('\n').at(-1) ?? ''
  if (!line.startsWith('{')) throw new Error(`the load client failed: ${ran.stderr.toString().slice(-1000)}`)
  return JSON.parse(line)
}

mkdirSync(options.work, { recursive: true })
const chosen = options.contenders.split(',').map((name) => {
  const found = contenders.find((contender) => contender.name === name)
  if (found === undefined) throw new Error(`unknown contender ${name}; known: ${contenders.map((one) => one.name).join(', ')}`)
  return found
})
const machine = describeMachine(options.python, options.binary)
const rows: Record<string, unknown>[] = []
let port = 21900
for (const shape of options.shapes.split(',')) {
  const model = join(options.work, shape)
  writeShape(model, shape, options.tokenizer)
  for (let round = 0; round < Number(options.rounds); round++)
    for (const contender of chosen) {
      port++
      const command = contender.command({ model, port, python: options.python, binary: options.binary, engineFlags })
      try {
        const server = await startContender(command, port, join(options.work, `${shape}-${contender.name}.log`), 240)
        const name = await modelName(server.url)
        for (const concurrency of options.concurrency.split(',').map(Number)) {
          const row = load(server.url, name, concurrency, server.pid)
          rows.push({ shape, contender: contender.name, round, readySecs: Math.round(server.readySecs), ...row })
          const { tok_per_s, ttft_ms, gap_ms, errors } = row
          console.log(
            shape,
            contender.name,
            `c=${concurrency}`,
            `${Math.round(tok_per_s)} tok/s`,
            `ttft p50 ${ttft_ms?.p50}`,
            `itl p50 ${gap_ms?.p50}`,
            JSON.stringify(errors),
          )
        }
        await server.stop()
      } catch (error) {
        console.log(shape, contender.name, `FAILED: ${error instanceof Error ? error.message : error}`)
      }
    }
}
const result = { date: new Date().toISOString(), command: process.argv.slice(2).join(' '), machine, engineFlags, rows }
if (options.out !== undefined) writeFileSync(options.out, `${JSON.stringify(result, null, 1)}\n`)
