// `bun test/gpu/diffusion/run.ts`: images or clips on a GPU: our server, SGLang's own and its engine alone stand together and take turns with the same
// requests; then jobs back to back, and jobs cancelled at random steps. Model folders are made by python/shapes.py. Results are written step by step.
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { median } from '../load.ts'
import { describeMachine } from '../machine.ts'
import { openReport } from '../plan.ts'
import { type Asked, ask, askEngine, pixelSum, round, type Shape } from './ask.ts'
import { backToBack } from './back-to-back.ts'
import { cancels } from './cancels.ts'
import { type Contender, type Name, type Setup, startContender } from './contenders.ts'
import { sameFrames } from './same-frames.ts'

const { values: options } = parseArgs({
  options: {
    kind: { type: 'string', default: 'image' },
    model: { type: 'string' },
    size: { type: 'string', default: '1024x1024' },
    steps: { type: 'string', default: '28' },
    frames: { type: 'string', default: '81' },
    rounds: { type: 'string', default: '5' },
    queue: { type: 'string', default: '4' },
    cancels: { type: 'string', default: '8' },
    contenders: { type: 'string', default: 'engine,ours,sglang' },
    python: { type: 'string', default: 'python3' },
    binary: { type: 'string', default: 'dist/dynamo-sglang' },
    'engine-flags': { type: 'string', default: '' },
    ffmpeg: { type: 'string' },
    noise: { type: 'string' },
    'ready-secs': { type: 'string', default: '150' },
    work: { type: 'string', default: '/tmp/dynamo-sglang-gpu' },
    out: { type: 'string', default: 'diffusion.json' },
    commit: { type: 'string', default: '' },
  },
})

const kind = options.kind as 'image' | 'video'
const [width = 0, height = 0] = options.size.split('x').map(Number)
const shape: Shape = {
  ...{ kind, width, height, steps: Number(options.steps), guidance: kind === 'image' ? 3.5 : 3 },
  ...(kind === 'video' ? { frames: Number(options.frames), fps: 16 } : {}),
  ...(options.noise === undefined ? {} : { noise: options.noise }),
}
const setup: Setup = {
  ...{ kind, model: options.model ?? '', python: options.python, binary: options.binary, work: options.work },
  engineFlags: options['engine-flags'].split(' ').filter(Boolean),
  ...(options.ffmpeg === undefined ? {} : { ffmpeg: options.ffmpeg }),
}
const machine = describeMachine(options.python, options.binary)
const head = { date: new Date().toISOString(), commit: options.commit, command: process.argv.slice(2).join(' '), machine, shape }
const report = openReport(options.out, { ...head, engineFlags: setup.engineFlags })
const rounds = Number(options.rounds)
const longest = kind === 'image' ? 120 : 240

// Together: idle ones take memory and a core each, no GPU time.
const standing = new Map<Name, Contender>()
await Promise.all(
  (options.contenders.split(',') as Name[]).map((name) =>
    report.step(`start ${name}`, Number(options['ready-secs']) + 10, async () => {
      const one = await startContender(name, setup, Number(options['ready-secs']))
      standing.set(name, one)
      return { readySecs: one.readySecs }
    }),
  ),
)
const { engine, ours } = { engine: standing.get('engine'), ours: standing.get('ours') }

/** What SGLang compiles for this shape is no part of any measure. */
for (const [name, one] of standing)
  await report.step(`first ${name}`, longest, async () => {
    const few = { ...shape, steps: Math.min(2, shape.steps) }
    return name === 'engine' ? { ms: round((await askEngine(one, few, 1)).ms) } : seen(await ask(one, few, 1))
  })

const taken: Record<Name, (Asked | Awaited<ReturnType<typeof askEngine>>)[]> = { engine: [], ours: [], sglang: [] }
for (let index = 0; index < rounds; index++)
  for (const [name, one] of standing)
    await report.step(`round ${index + 1} ${name}`, longest, async () => {
      const seed = 100 + index
      if (name === 'engine') {
        const one_ = await askEngine(one, shape, seed)
        taken.engine.push(one_)
        return { ...one_, ms: round(one_.ms) }
      }
      const got = await ask(one, shape, seed)
      if (kind === 'image' && engine !== undefined) got.sha256 = await pixelSum(engine, got.file)
      taken[name].push(got)
      await Bun.write(join(options.work, kind, `${name}-${seed}.${kind === 'image' ? 'png' : 'mp4'}`), got.file)
      return seen(got)
    })

const medians: Record<string, number> = {}
for (const [name, list] of Object.entries(taken)) if (list.length > 0) medians[name] = round(median(list.map(({ ms }) => ms)))
const over = (name: Name) =>
  medians[name] === undefined ? undefined : round((1000 * (medians[name]! - medians.engine!)) / medians.engine!) / 10
report.note('medians', { ms: medians, overEnginePercent: { ours: over('ours'), sglang: over('sglang') } })
report.note('same pixels', {
  ofRounds: taken.ours.length,
  oursLikeEngine: taken.ours.filter(({ sha256 }, i) => sha256 !== undefined && sha256 === taken.engine[i]?.sha256).length,
  sglangLikeEngine: taken.sglang.filter(({ sha256 }, i) => sha256 !== undefined && sha256 === taken.engine[i]?.sha256).length,
})
if (ours !== undefined && engine !== undefined && kind === 'video')
  await report.step('same frames', longest * 2, () => sameFrames(ours, engine, shape))
for (const one of [ours, kind === 'image' ? standing.get('sglang') : undefined])
  if (one !== undefined && Number(options.queue) > 0)
    await report.step(`back to back ${one.name}`, longest * 2, () => backToBack(one, shape, Number(options.queue)))
if (ours !== undefined && Number(options.cancels) > 0) {
  await report.step('cancels', longest * 3, () =>
    cancels(ours, shape, Number(options.cancels), (each) => report.note('cancels so far', each)),
  )
  await report.step('after the cancels', longest, async () => {
    const got = await ask(ours, kind === 'image' ? shape : { ...shape, steps: Math.min(3, shape.steps) }, 100)
    const same =
      kind === 'image' && engine !== undefined ? { samePixels: (await pixelSum(engine, got.file)) === taken.engine[0]?.sha256 } : {}
    return { ...seen(got), ...same }
  })
}
await Promise.all([...standing.values()].map((one) => one.process.stop()))
process.exit(0)

function seen({ file: _, ms, ...rest }: Asked) {
  return { ms: round(ms), ...rest }
}
