// `bun test/gpu/fleet.ts --client PATH`: several engines on one or two GPUs through the product's own processes, each step written to --out as it ends.
// --parts copies: one engine a GPU behind one `serve`. --parts apart: prefill and decode workers and a frontend. Another --engine-flags runs it without a GPU.
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { measureApart } from './apart.ts'
import { measureCopies } from './copies.ts'
import { describeMachine } from './machine.ts'
import { openReport, type Plan } from './plan.ts'
import { writeShape } from './shapes.ts'

const gpuFlags =
  '--attention-backend triton --sampling-backend pytorch --grammar-backend llguidance --mem-fraction-static 0.5 --max-running-requests 1024 --cuda-graph-max-bs-decode 512'

const { values: options } = parseArgs({
  options: {
    parts: { type: 'string', default: 'copies,apart' },
    gpus: { type: 'string', default: '2' },
    shape: { type: 'string', default: 'q06' },
    /** A folder with weights; absent: one of that shape is made. */
    model: { type: 'string' },
    python: { type: 'string', default: 'python3' },
    binary: { type: 'string', default: 'dist/dynamo-sglang' },
    tokenizer: { type: 'string', default: 'models/tiny-llm' },
    client: { type: 'string' },
    'engine-flags': { type: 'string', default: gpuFlags },
    concurrency: { type: 'string', default: '256,512' },
    'apart-concurrency': { type: 'string', default: '1,16,64' },
    kills: { type: 'string', default: 'decode-scheduler,prefill-scheduler,prefill-worker,decode-worker' },
    work: { type: 'string', default: '/tmp/dynamo-sglang-gpu' },
    out: { type: 'string', default: 'fleet.json' },
    'input-words': { type: 'string', default: '100' },
    'output-tokens': { type: 'string', default: '256' },
    'ready-secs': { type: 'string', default: '180' },
    'long-prompt': { type: 'string', default: '4000' },
    'long-answer': { type: 'string', default: '3000' },
    commit: { type: 'string', default: '' },
  },
})
if (options.client === undefined) throw new Error('name the load client: --client PATH')
mkdirSync(options.work, { recursive: true })

const isMock = options['engine-flags'].includes('mock')
const plan: Plan = {
  binary: options.binary,
  client: options.client,
  model: options.model ?? withWeights(),
  work: options.work,
  engineFlags: [...(isMock ? [] : ['--python', options.python]), ...options['engine-flags'].split(' ')],
  gpus: Number(options.gpus),
  inputWords: Number(options['input-words']),
  outputTokens: Number(options['output-tokens']),
  readySecs: Number(options['ready-secs']),
  longPrompt: Number(options['long-prompt']),
  longAnswer: Number(options['long-answer']),
}
const machine = describeMachine(options.python, options.binary)
const head = {
  date: new Date().toISOString(),
  commit: options.commit,
  command: process.argv.slice(2).join(' '),
  machine,
  engineFlags: plan.engineFlags,
}
const report = openReport(options.out, head)
const numbers = (text: string) => text.split(',').map(Number)
const parts = options.parts.split(',')
if (parts.includes('copies'))
  for (const count of [1, plan.gpus])
    await measureCopies(plan, report, count, numbers(options.concurrency)).catch((error) => report.note(`workers-${count}`, String(error)))
if (parts.includes('apart'))
  await measureApart(plan, report, numbers(options['apart-concurrency']), options.kills.split(',').filter(Boolean)).catch((error) =>
    report.note('apart', String(error)),
  )
process.exit(0)

function withWeights(): string {
  const folder = join(options.work, `${options.shape}-weights`)
  writeShape(folder, options.shape, options.tokenizer)
  if (existsSync(join(folder, 'model.safetensors'))) return folder
  const made = Bun.spawnSync([options.python, join(import.meta.dir, 'weights.py'), folder], {
    env: { ...process.env, BUN_BE_BUN: undefined },
    timeout: 120_000,
  })
  if (made.exitCode !== 0) throw new Error(`no weights: ${made.stderr.toString().slice(-2000)}`)
  return folder
}
