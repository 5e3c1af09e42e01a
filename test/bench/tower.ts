// Our vision encoder's tower alone, in the shape of Qwen2.5-VL-7B's (or another with --tower): how long it takes to load and to encode, and how much memory.
// `bun test/bench/tower.ts [--python PYTHON] [--tower FILE] [--device cpu|webgpu] [--threads 0] [--sides 224,448,896] [--turns 3] [--json FILE]`. The
// checkpoint is made up; PYTHON needs numpy and onnx.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { exportVision } from '../../src/engine/vision/export/export.ts'
import { openOnDevice } from '../../src/engine/vision/onnx/device.ts'
import { wholeEnv } from '../helpers/vision-fixtures.ts'
import { flops, writeRealShape } from './tower/real-shape.ts'

const { values: options } = parseArgs({
  options: {
    python: { type: 'string', default: process.env.DYN_SGLANG_PYTHON ?? 'python3' },
    tower: { type: 'string' },
    device: { type: 'string', default: 'cpu' },
    threads: { type: 'string', default: '0' },
    /** Of square pictures, in pixels. */
    sides: { type: 'string', default: '224,448,896' },
    turns: { type: 'string', default: '3' },
    json: { type: 'string' },
  },
})

const folder = mkdtempSync(join(tmpdir(), 'tower-'))
const rows: Record<string, unknown>[] = []
const tell = (row: Record<string, unknown>) => {
  rows.push(row)
  console.log(JSON.stringify(row))
}
const peakMb = () => Math.round(Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1]) / 1024)

try {
  let path = options.tower
  if (path === undefined) {
    writeRealShape(folder)
    const started = performance.now()
    const made = await exportVision({ modelPath: folder, python: options.python, env: wholeEnv() })
    tell({ step: 'export', secs: seconds(started), fileMb: Math.round(made.bytes / 1e6) })
    path = made.path
  }
  const started = performance.now()
  const device = options.device as 'cpu' | 'webgpu' | 'auto'
  const tower = await openOnDevice({ tower: path, device, threads: Number(options.threads) })
  const cores = { cores: availableParallelism(), threads: Number(options.threads), load: loadavg()[0] }
  tell({
    step: 'load',
    secs: seconds(started),
    device: tower.device,
    fused: tower.fused,
    runtime: tower.runtime,
    peakMb: peakMb(),
    ...cores,
  })
  const { channels, temporal, patch, merge } = tower.facts
  for (const side of options.sides.split(',').map(Number)) {
    const across = Math.round(side / (patch * merge)) * merge
    const patches = across * across
    const pixels = new Float32Array(patches * channels * temporal * patch * patch).fill(0.1)
    const secs: number[] = []
    for (let turn = 0; turn < Number(options.turns); turn++) {
      const begun = performance.now()
      await tower.run(pixels, { frames: 1, height: across, width: across })
      secs.push(seconds(begun))
    }
    const best = Math.min(...secs)
    const rate = options.tower === undefined ? { gflopPerSec: Math.round(flops(patches) / best / 1e9) } : {}
    tell({ step: 'encode', pixels: across * patch, patches, tokens: patches / merge ** 2, secs, ...rate, peakMb: peakMb() })
  }
  await tower.close()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
if (options.json !== undefined) await Bun.write(options.json, `${JSON.stringify(rows, null, 1)}\n`)

function seconds(since: number): number {
  return Number(((performance.now() - since) / 1000).toFixed(3))
}
