// Chats with pictures on a real SGLang and a GPU, in each shape of ours in turns with SGLang's own server: equal texts, speed by size and number of clients with the times of its stages, many
// pictures at once. `bun test/gpu/vision/run.ts --shape vl-small --setups sglang,ours,…`; where there is no Bun: `BUN_BE_BUN=1 dynamo-sglang test/gpu/vision/run.ts`. Without a GPU, to try the
// script: `--engine-flags` of SGLang on the CPU, and small sizes.
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { writeVisionFolder } from '../../bench/vision/shapes.ts'
import { describeMachine } from '../machine.ts'
import { openReport } from '../plan.ts'
import { burst, casesOf, compared, row, textsOf } from './ask.ts'
import { type Place, setups, stand } from './setups.ts'

const gpuFlags =
  '--attention-backend triton --sampling-backend pytorch --grammar-backend llguidance --mm-attention-backend triton_attn --max-running-requests 256 --cuda-graph-max-bs-decode 128 --disable-radix-cache --context-length 16384'

const { values: options } = parseArgs({
  options: {
    shape: { type: 'string', default: 'vl-small' },
    setups: { type: 'string', default: 'sglang,ours,ours-sglang-encoder,ours-onnx-cpu,ours-onnx-webgpu,ours-epd-webgpu' },
    /** SGLang's kernels on a GPU take no float32. */
    dtype: { type: 'string', default: 'bfloat16' },
    /** Whose resizing our tower follows; SGLang on a GPU resizes there, in float32. */
    backend: { type: 'string', default: 'tv_f32' },
    /** `all`: also the language model's, for texts; `vision`: our tower's alone, SGLang makes up its own (--load-format dummy). */
    weights: { type: 'string', default: 'all' },
    /** PNGs whose texts are compared; none: left out. */
    texts: { type: 'string', default: '224x224,448x672,640x480' },
    sizes: { type: 'string', default: '' },
    concurrency: { type: 'string', default: '1,16,64' },
    tokens: { type: 'string', default: '64' },
    /** Pictures at once; 0: left out. */
    burst: { type: 'string', default: '0' },
    'row-secs': { type: 'string', default: '8' },
    'ready-secs': { type: 'string', default: '150' },
    python: { type: 'string', default: 'python3' },
    binary: { type: 'string', default: 'dist/dynamo-sglang' },
    models: { type: 'string', default: 'models' },
    work: { type: 'string', default: '/tmp/dynamo-sglang-vision' },
    'engine-flags': { type: 'string', default: gpuFlags },
    memory: { type: 'string', default: '0.4' },
    out: { type: 'string', default: 'vision.json' },
    commit: { type: 'string', default: '' },
  },
})
const names = options.setups.split(',')
const unknown = names.filter((name) => setups[name] === undefined)
if (unknown.length > 0) throw new Error(`unknown setups ${unknown.join(', ')}; known: ${Object.keys(setups).join(', ')}`)
mkdirSync(options.work, { recursive: true })
const report = openReport(options.out, {
  date: new Date().toISOString(),
  command: `test/gpu/vision/run.ts ${process.argv.slice(2).join(' ')}`,
  commit: options.commit,
  machine: describeMachine(options.python, options.binary),
})

const list = (text: string) => text.split(',').filter(Boolean)
const requestsOf = (concurrency: number) => (concurrency === 1 ? 8 : Math.min(4 * concurrency, 128))
const wanted = list(options.concurrency).map(Number)
const model = await report.step('model', 240, makeModel)
const pictures = new Map<string, string[]>()
await report.step('pictures', 120, async () => {
  const perSize = wanted.reduce((sum, one) => sum + requestsOf(one), 1)
  for (const size of list(options.sizes)) pictures.set(size, made(`${size}`, size, perSize))
  if (Number(options.burst) > 0) pictures.set('burst', made('burst', '224x224', Number(options.burst)))
})
const cases = casesOfTexts()
let expected: string[] | undefined
for (const name of model === undefined ? [] : names) await measure(name)
process.exit(0)

async function measure(name: string): Promise<void> {
  const standing = await report.step(`${name}: ready`, 2 * Number(options['ready-secs']), () => stand(name, placeOf()))
  if (standing === undefined) return
  try {
    if (cases.length > 0)
      await report.step(`${name}: texts`, 120, async () => {
        const found = await textsOf(standing, cases, 32)
        expected ??= found
        return { ...compared(found, expected, cases), sample: found[0]?.slice(0, 60) }
      })
    for (const size of list(options.sizes)) {
      const files = [...pictures.get(size)!]
      // Compiles what is compiled at the first picture of a size.
      await report.step(`${name}: ${size} warm`, 60, () =>
        row(standing, { files: files.splice(0, 1), concurrency: 1, requests: 1, tokens: 8, secs: 60 }),
      )
      for (const concurrency of wanted) {
        const requests = requestsOf(concurrency)
        await report.step(`${name}: ${size} c=${concurrency}`, 90, () =>
          row(standing, {
            ...{ files: files.splice(0, requests), concurrency, requests },
            tokens: Number(options.tokens),
            secs: Number(options['row-secs']),
          }),
        )
      }
    }
    const many = pictures.get('burst')
    if (many !== undefined) await report.step(`${name}: ${many.length} pictures at once`, 150, () => burst(standing, many, 20, 16))
  } finally {
    await standing.stop()
  }
}

function placeOf(): Place {
  const { binary, python, work, dtype, backend } = options
  const load = options.weights === 'all' ? [] : ['--load-format', 'dummy']
  const flags = [...options['engine-flags'].split(' '), '--dtype', dtype, ...load]
  const onGpu = options['engine-flags'] === gpuFlags
  const share = (part: number) => (onGpu ? ['--mem-fraction-static', String(part)] : [])
  const memory = Number(options.memory)
  return {
    ...{ binary, python, work, dtype, backend, model: model!, readySecs: Number(options['ready-secs']) },
    ...{ flags: [...flags, ...share(memory)], halfFlags: [...flags, ...share(memory / 2)] },
    env: { HF_HUB_OFFLINE: '1', SGLANG_HOST_IP: '127.0.0.1' },
  }
}

/** Folder, weights and tower, unless they are there. */
async function makeModel(): Promise<string> {
  const folder = join(options.work, options.shape)
  if (existsSync(join(folder, 'vision.onnx'))) return folder
  // As many patches as an encoder takes unless told otherwise.
  writeVisionFolder(folder, options.shape, options.models, { maxPixels: 16384 * 14 * 14, dtype: options.dtype as 'float32' })
  said([options.python, join(import.meta.dir, 'weights.py'), folder, options.weights])
  said([options.binary, 'export-vision', '--model-path', folder, '--python', options.python])
  return folder
}

function made(folder: string, size: string, count: number, kind = 'jpg'): string[] {
  const path = join(options.work, 'pictures', folder)
  said([options.python, join(import.meta.dir, 'pictures.py'), path, size, String(count), kind])
  return Array.from({ length: count }, (_, i) => join(path, `${size}-${i}.${kind}`))
}

function casesOfTexts() {
  const files = list(options.texts).flatMap((size) => made('texts', size, 2, 'png'))
  if (files.some((file) => !existsSync(file)))
    throw new Error(`there are only ${readdirSync(join(options.work, 'pictures/texts')).join(', ')}`)
  return files.length === 0 ? [] : casesOf(files)
}

function said(command: string[]): string {
  const env = { ...process.env, BUN_BE_BUN: undefined, HF_HUB_OFFLINE: '1' }
  const { success, stdout, stderr } = Bun.spawnSync(command, { stdout: 'pipe', stderr: 'pipe', env })
  if (!success) throw new Error(`${command.slice(0, 3).join(' ')}: ${stderr.toString().slice(-1500)}`)
  return stdout.toString()
}
