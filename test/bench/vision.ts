// Pictures as vision models see them: our preprocessing (resize, normalise, patches; decoding not counted) in turns with transformers' and SGLang's on the CPU.
// `bun run bench vision [--python PYTHON] [--sglang-python PYTHON] [--turns 5] [--sizes 640x480,…] [--json FILE]`; without a Python that has transformers, and one that
// has SGLang, those are left out. Wall time is what is looked at on an idle machine, CPU time on a shared one.
import { cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { familyOf } from '../../src/media/vision/families.ts'
import { visionModel } from '../../src/media/vision/open.ts'
import { presets } from '../../src/media/vision/presets.ts'

const { values: options } = parseArgs({
  options: {
    python: { type: 'string' },
    'sglang-python': { type: 'string' },
    turns: { type: 'string', default: '5' },
    sizes: { type: 'string', default: '640x480,1920x1080,3840x2160' },
    json: { type: 'string' },
  },
})
const rounds = 3
/** Of each contender before a question's first turn: a server that has run for a second has its WebAssembly compiled, and a Python its memory. */
const warmMs = 1000
const sizes = options.sizes.split(',').map((size) => size.split('x').map(Number) as [number, number])
const questions = sizes.flatMap(([width, height]) =>
  (['qwen2vl', 'qwen3vl'] as const).flatMap((processor) =>
    (['pil', 'tv_u8'] as const).map((backend) => ({ width, height, processor, backend })),
  ),
)

type Question = (typeof questions)[number]
interface Times {
  wall: number[]
  cpu: number[]
}

async function ours({ width, height, processor, backend }: Question): Promise<Times> {
  const preset = presets[processor]
  const model = visionModel(familyOf(preset.config.model_type)!, { ...preset, video: {}, tokenId: () => undefined })
  const rgb = Uint8Array.from({ length: 3 * width * height }, (_, i) => Math.imul(i + 7, 2654435761) >>> 24)
  const times: Times = { wall: [], cpu: [] }
  for (let round = 0; round < rounds; round++) {
    const [started, used] = [performance.now(), process.cpuUsage()]
    const made = await model.preprocess(rgb, width, height, backend)
    times.wall.push(performance.now() - started)
    const { user, system } = process.cpuUsage(used)
    times.cpu.push((user + system) / 1000)
    made.release?.()
  }
  return times
}

/** Asks a rival in its process, one question at a time. */
function startRival(python: string, script: string, args: readonly string[] = []) {
  const env = { ...process.env, HF_HUB_OFFLINE: '1', TRANSFORMERS_VERBOSITY: 'error', PYTHONWARNINGS: 'ignore' }
  const command = [python, join(import.meta.dir, 'vision', script), ...args]
  const child = Bun.spawn(command, { stdio: ['pipe', 'pipe', 'inherit'], env })
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).values()
  let buffered = ''
  const line = async (): Promise<string> => {
    while (!buffered.includes('\n')) {
      const { value, done } = await lines.next()
      if (done) throw new Error(`${script} ended`)
      buffered += value
    }
    const [first, ...rest] = buffered.split('\n')
    buffered = rest.join('\n')
    return first!
  }
  return {
    line,
    async ask({ width, height, processor, backend }: Question, threads: number): Promise<Times> {
      child.stdin.write(`${width} ${height} ${processor} ${backend} ${threads} ${rounds}\n`)
      child.stdin.flush()
      return JSON.parse(await line())
    },
    stop: () => child.kill(),
  }
}

const all = cpus().length
const contenders: [name: string, run: (question: Question) => Promise<Times>][] = [['ours', ours]]
const versions: Record<string, unknown> = { bun: Bun.version }
const rivals: ReturnType<typeof startRival>[] = []
const models = ['tiny-vl', 'tiny-vl3'].map((name) => join(import.meta.dir, '../../models', name))
for (const [name, python, script, args] of [
  ['transformers', options.python, 'transformers_side.py', []],
  ['SGLang', options['sglang-python'], 'sglang_side.py', models],
] as const) {
  if (python === undefined) continue
  const rival = startRival(python, script, args)
  Object.assign(versions, JSON.parse(await rival.line()))
  rivals.push(rival)
  for (const threads of all > 1 ? [1, all] : [1])
    contenders.push([`${name}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`, (question) => rival.ask(question, threads)])
}
const rows: Record<string, string | number>[] = []
const load = loadavg().map((value) => Number(value.toFixed(1)))
for (const question of questions) {
  const found = new Map<string, Times>(contenders.map(([name]) => [name, { wall: [], cpu: [] }]))
  for (const [, run] of contenders) for (const began = performance.now(); performance.now() - began < warmMs; ) await run(question)
  for (let turn = 0; turn < Number(options.turns); turn++) {
    for (const [name, run] of contenders) {
      const { wall, cpu } = await run(question)
      // The first of a turn finds cold caches and memory that others had.
      found.get(name)!.wall.push(...wall.slice(1))
      found.get(name)!.cpu.push(...cpu.slice(1))
    }
  }
  const base = found.get('ours')!
  for (const [name, { wall, cpu }] of found) {
    rows.push({
      picture: `${question.width}x${question.height}`,
      processor: question.processor,
      backend: question.backend,
      who: name,
      wallMs: middle(wall),
      bestWallMs: Number(Math.min(...wall).toFixed(1)),
      cpuMs: middle(cpu),
      cpuTimesOurs: Number((middle(cpu) / middle(base.cpu)).toFixed(1)),
      wallTimesOurs: Number((middle(wall) / middle(base.wall)).toFixed(1)),
    })
  }
}
for (const rival of rivals) rival.stop()
console.table(rows)
if (options.json !== undefined) {
  const machine = `${cpus().length} x ${cpus()[0]?.model}, load average ${load.join(' ')} at the start`
  await Bun.write(
    options.json,
    `${JSON.stringify({ date: new Date().toISOString(), command: `bun run bench vision ${process.argv.slice(2).join(' ')}`.trim(), machine, versions, rounds: rounds - 1, turns: Number(options.turns), rows }, null, 1)}\n`,
  )
}

function middle(list: readonly number[]): number {
  return Number([...list].sort((a, b) => a - b)[list.length >> 1]!.toFixed(2))
}
