// Where a picture's time goes, by its size: fetch, decode, preprocess, encode, transfer, prefill, as the product itself tells them (`dynamo_component_vision_stage_seconds`). Three
// processes as in production: a frontend, a language worker, an encode worker with our own tower, over TCP; one request at a time, each with a picture of its own.
// `bun run bench vision-stages [--shape vit-s] [--sizes 224x224,…] [--turns 3] [--engine mock|sglang] [--python PYTHON] [--device cpu|webgpu] [--json FILE]`. PYTHON needs numpy and onnx, and
// with `--engine sglang` SGLang, which has made-up weights on this CPU; the mock's prefill is made up.
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { exportVision } from '../../src/engine/vision/export/export.ts'
import { startFleet } from '../helpers/processes/fleet.ts'
import { freePort } from '../helpers/processes/sglang-server.ts'
import { until } from '../helpers/run-request.ts'
import { cpuEnv, sglangPython } from '../helpers/sglang.ts'
import { wholeEnv } from '../helpers/vision-fixtures.ts'
import { writeZeros } from './tower/real-shape.ts'
import { jpegOf, servePictures } from './vision/pictures.ts'
import { shapes, writeVisionFolder } from './vision/shapes.ts'
import { askStreamed, countBetween, meansBetween, rounded, stageSums } from './vision/stages.ts'

const { values: options } = parseArgs({
  options: {
    shape: { type: 'string', default: 'vit-s' },
    sizes: { type: 'string', default: '224x224,640x480,1920x1080,3840x2160' },
    turns: { type: 'string', default: '3' },
    engine: { type: 'string', default: 'mock' },
    python: { type: 'string', default: sglangPython() ?? 'python3' },
    device: { type: 'string', default: 'cpu' },
    /** Of a picture after resizing: as many patches as an encoder takes by default (--vision-max-patches 16384). */
    'max-pixels': { type: 'string', default: String(16384 * 14 * 14) },
    json: { type: 'string' },
  },
})
const shape = shapes[options.shape]?.vision as Record<string, number> | undefined
if (shape === undefined || shape.patch_size !== 14) throw new Error(`--shape: one of Qwen2.5-VL's kind: ${Object.keys(shapes).join(', ')}`)

/** Up to `--turns` pictures of a size, and none more when they have taken this long. */
const longEnoughMs = 15_000
const folder = mkdtempSync(join(tmpdir(), 'stages-'))
const model = join(folder, options.shape)
const load = loadavg().map(rounded)
const fleet = startFleet(undefined, 300_000)
const pictures = servePictures()
const rows: Record<string, unknown>[] = []
try {
  writeVisionFolder(model, options.shape, join(import.meta.dir, '../../models'), { maxPixels: Number(options['max-pixels']) })
  const { depth, hidden_size, intermediate_size, num_heads, patch_size, out_hidden_size } = shape as Record<string, number>
  writeZeros(model, {
    ...{ depth: depth!, hidden: hidden_size!, intermediate: intermediate_size!, heads: num_heads! },
    ...{ patch: patch_size!, out: out_hidden_size! },
  })
  await exportVision({ modelPath: model, python: options.python, env: wholeEnv() })
  const processes = await startProcesses()
  // The first pictures of all find everything cold.
  for (let seed = 101; seed < 104; seed++)
    await firstToken({ url: processes.url, picture: pictures.add(await jpegOf(224, 224, seed)), size: 'warm-up' })
  for (const size of options.sizes.split(',')) rows.push(await measure(size, processes))
  console.table(rows)
} finally {
  await fleet.stop()
  await pictures.stop()
  rmSync(folder, { recursive: true, force: true })
}
if (options.json !== undefined) {
  const { default: versions } = await import('../../package.json')
  await Bun.write(
    options.json,
    `${JSON.stringify(
      {
        date: new Date().toISOString(),
        command: `bun run bench vision-stages ${process.argv.slice(2).join(' ')}`.trim(),
        machine: `${cpus().length} x ${cpus()[0]?.model}, load average ${load.join(' ')} at the start`,
        versions: { bun: Bun.version, onnxruntime: versions.dependencies['onnxruntime-node'], sharp: versions.dependencies.sharp },
        shape: { name: options.shape, ...shapes[options.shape], weights: 'zeros' },
        engine: options.engine,
        rows,
      },
      null,
      1,
    )}\n`,
  )
}

interface Processes {
  url: string
  metrics: string[]
}

async function startProcesses(): Promise<Processes> {
  const [language, encoder] = [freePort(), freePort()]
  const isMock = options.engine === 'mock'
  // As wide a context as the largest picture needs; the CPU engine computes in bfloat16 like a GPU's.
  const sglang =
    '--load-format dummy --context-length 24576 --max-total-tokens 24576 --device cpu --attention-backend torch_native --mem-fraction-static 0.3 --max-running-requests 4 --mm-attention-backend sdpa --disable-radix-cache --chunked-prefill-size -1'
  const engine = isMock
    ? ['--engine', 'mock', '--speedup-ratio', '1']
    : ['--engine', 'sglang', '--python', options.python, ...sglang.split(' ')]
  const env = isMock ? {} : cpuEnv(false)
  const towers = ['--vision-encoder', 'onnx', '--vision-device', options.device, '--vision-dtype', 'bfloat16']
  const [frontend] = await Promise.all([
    fleet.frontend([], { DYN_MM_ALLOW_INTERNAL: '1' }),
    fleet.worker(['--model-path', model, '--multimodal-worker', ...engine], { ...env, DYN_SYSTEM_PORT: String(language) }),
    fleet.worker(['--model-path', model, '--multimodal-encode-worker', ...towers], { DYN_SYSTEM_PORT: String(encoder) }),
  ])
  await until('the model is served', async () => (await fetch(`${frontend.url}/ready`)).ok, 60_000)
  return { url: frontend.url, metrics: [frontend.url, `http://127.0.0.1:${language}`, `http://127.0.0.1:${encoder}`] }
}

async function measure(size: string, { url, metrics }: Processes) {
  const [width, height] = size.split('x').map(Number) as [number, number]
  const ttft: number[] = []
  const before = await stageSums(metrics)
  const began = performance.now()
  let bytes = 0
  while (ttft.length < Number(options.turns) && performance.now() - began < longEnoughMs) {
    const file = await jpegOf(width, height, 1 + ttft.length)
    bytes = file.length
    ttft.push(await firstToken({ url, picture: pictures.add(file), size }))
  }
  const after = await stageSums(metrics)
  const means = meansBetween(before, after)
  const first = rounded(ttft.reduce((sum, one) => sum + one, 0) / ttft.length)
  const parts = Object.values(means).reduce((sum, ms) => sum + ms, 0)
  return {
    picture: size,
    fileKb: Math.round(bytes / 1000),
    turns: ttft.length,
    encodes: countBetween(before, after, 'encode'),
    ...means,
    firstTokenMs: first,
    otherMs: rounded(first - parts),
  }
}

async function firstToken({ url, picture, size }: { url: string; picture: string; size: string }): Promise<number> {
  const answer = await askStreamed({ url, model, pictures: [picture], text: 'What is this?', tokens: 2, timeoutMs: 600_000 })
  if (answer.error !== undefined) throw new Error(`${size}: ${answer.error}`)
  return answer.ttftMs!
}
