// `bun run test:gpu`: SSE throughput on a GPU, ours in turns with SGLang's own server, on the same engine flags and the same client.
// The client is an OpenAI load generator that prints one JSON line (load.ts).
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Contender, contenders, modelName, startContender } from './contenders.ts'
import { load, median, shown } from './load.ts'
import { engineFlags as commonFlags, describeMachine } from './machine.ts'
import { writeShape } from './shapes.ts'

const { values: options } = parseArgs({
  options: {
    shapes: { type: 'string', default: 'q06' },
    contenders: { type: 'string', default: 'ours,sglang,sglang-best' },
    concurrency: { type: 'string', default: '1,64,256,1024' },
    rounds: { type: 'string', default: '1' },
    /** All servers stand at the same time (idle ones take memory, no GPU time), so that a round costs no start. */
    together: { type: 'boolean', default: false },
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

if (options.client === undefined) throw new Error('name the load client: --client PATH')
const engineFlags = [...commonFlags, ...options['engine-flags'].split(' ').filter(Boolean)]

mkdirSync(options.work, { recursive: true })
const chosen = options.contenders.split(',').map((name) => {
  const found = contenders.find((contender) => contender.name === name)
  if (found === undefined) throw new Error(`unknown contender ${name}; known: ${contenders.map((one) => one.name).join(', ')}`)
  return found
})
const machine = describeMachine(options.python, options.binary)
const rows: Record<string, unknown>[] = []
let port = 21900

async function start(shape: string, contender: Contender) {
  port++
  const at = { model: join(options.work, shape), port, python: options.python, binary: options.binary, engineFlags }
  const server = await startContender(contender.command(at), port, join(options.work, `${shape}-${contender.name}.log`), 240)
  return { ...server, model: await modelName(server.url) }
}

function measure(
  shape: string,
  contender: Contender,
  round: number,
  { url, model, pid, readySecs }: Awaited<ReturnType<typeof start>>,
): void {
  for (const concurrency of options.concurrency.split(',').map(Number)) {
    const [inputWords, outputTokens] = [Number(options['input-words']), Number(options['output-tokens'])]
    const row = load({ client: options.client!, url, model, concurrency, pid, inputWords, outputTokens })
    rows.push({ shape, contender: contender.name, round, readySecs: Math.round(readySecs), ...row })
    console.log(shape, contender.name, `c=${concurrency}`, JSON.stringify(shown(row)))
    write()
  }
}

function write(): void {
  const medians: Record<string, number> = {}
  for (const { shape, contender, concurrency } of rows) {
    const alike = rows.filter((row) => row.shape === shape && row.contender === contender && row.concurrency === concurrency)
    medians[`${shape} ${contender} c=${concurrency}`] = Math.round(median(alike.map((row) => row.tok_per_s as number)))
  }
  const result = { date: new Date().toISOString(), command: process.argv.slice(2).join(' '), machine, engineFlags, medians, rows }
  if (options.out !== undefined) writeFileSync(options.out, `${JSON.stringify(result, null, 1)}\n`)
}

const failed = (shape: string, contender: Contender, error: unknown) =>
  console.log(shape, contender.name, `FAILED: ${error instanceof Error ? error.message : error}`)

for (const shape of options.shapes.split(',')) {
  writeShape(join(options.work, shape), shape, options.tokenizer)
  const standing = new Map<Contender, Awaited<ReturnType<typeof start>>>()
  if (options.together)
    for (const one of chosen)
      await start(shape, one)
        .then((server) => standing.set(one, server))
        .catch((error) => failed(shape, one, error))
  for (let round = 0; round < Number(options.rounds); round++)
    for (const contender of chosen) {
      if (options.together && !standing.has(contender)) continue
      try {
        const server = standing.get(contender) ?? (await start(shape, contender))
        measure(shape, contender, round, server)
        if (!standing.has(contender)) await server.stop()
      } catch (error) {
        failed(shape, contender, error)
      }
    }
  await Promise.all([...standing.values()].map((server) => server.stop()))
}
