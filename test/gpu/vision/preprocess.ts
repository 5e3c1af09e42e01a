// Pictures as vision models see them, on a machine with a GPU and many cores: the executable's own `preprocess --repeat`, with one core, with threads, and on
// WebGPU, copies counted. `bun test/gpu/vision/preprocess.ts [--binary dist/dynamo-sglang] [--out FILE]`; where there is no Bun: `BUN_BE_BUN=1 dynamo-sglang vision.js` with
// the output of `bun build --target bun test/gpu/vision/preprocess.ts`.
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { crc32, deflateSync } from 'node:zlib'
import { describeMachine } from '../machine.ts'

const { values: options } = parseArgs({
  options: {
    binary: { type: 'string', default: 'dist/dynamo-sglang' },
    out: { type: 'string' },
    repeat: { type: 'string', default: '30' },
  },
})
const cores = navigator.hardwareConcurrency
const ways: [name: string, flags: string[]][] = [
  ['one core', []],
  ['one core, bytes', ['--bytes']],
  ...[4, 8, 16]
    .filter((threads) => threads <= cores)
    .flatMap((threads): [string, string[]][] => [
      [`${threads} threads`, ['--threads', String(threads)]],
      [`${threads} threads, bytes`, ['--threads', String(threads), '--bytes']],
    ]),
  ['WebGPU', ['--gpu-kernels', 'webgpu']],
  ['WebGPU, bytes', ['--gpu-kernels', 'webgpu', '--bytes']],
]

const work = mkdtempSync(join(tmpdir(), 'gpu-vision-'))
const rows: Record<string, string | number>[] = []
for (const [width, height] of [
  [640, 480],
  [1920, 1080],
  [3840, 2160],
] as const) {
  const picture = join(work, `${width}x${height}.png`)
  writeFileSync(picture, png(width, height))
  for (const backend of ['pil', 'tv_u8']) {
    for (const [name, flags] of ways) {
      const told = repeat([picture, '--processor', 'qwen2vl', '--backend', backend, '--repeat', options.repeat, ...flags])
      const row = { picture: `${width}x${height}`, backend, way: name }
      if (told === undefined) rows.push({ ...row, medianMs: 'failed' })
      else if (told.ran?.webgpu === 0) rows.push({ ...row, medianMs: 'no device' })
      else rows.push({ ...row, medianMs: told.ms[told.ms.length >> 1]!, leastMs: told.ms[0]!, mostMs: told.ms.at(-1)! })
    }
  }
}
console.table(rows)
if (options.out !== undefined) {
  const machine = describeMachine('python3', options.binary)
  writeFileSync(options.out, `${JSON.stringify({ date: new Date().toISOString(), machine, rows }, null, 1)}\n`)
}

interface Told {
  /** Ascending. */
  ms: number[]
  ran?: { webgpu: number }
}

function repeat(args: string[]): Told | undefined {
  const env = { ...process.env, BUN_BE_BUN: undefined }
  const run = Bun.spawnSync([options.binary, 'preprocess', ...args, '--json'], { stderr: 'inherit', env, timeout: 120_000 })
  return run.success ? JSON.parse(run.stdout.toString()) : undefined
}

/** Noise over a slope, 8-bit RGB. */
function png(width: number, height: number): Uint8Array {
  const raw = new Uint8Array(height * (1 + 3 * width))
  for (let i = 0; i < raw.length; i++) raw[i] = i % (1 + 3 * width) === 0 ? 0 : (i >> 8) + (Math.imul(i, 2654435761) >>> 26)
  const head = new DataView(new ArrayBuffer(13))
  head.setUint32(0, width)
  head.setUint32(4, height)
  head.setUint16(8, 0x0802)
  const chunk = (type: string, body: Uint8Array): Buffer => {
    const content = Buffer.concat([Buffer.from(type), body])
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)]
    length.writeUInt32BE(body.length)
    sum.writeUInt32BE(crc32(content))
    return Buffer.concat([length, content, sum])
  }
  const body = deflateSync(raw, { level: 1 })
  const parts = [chunk('IHDR', new Uint8Array(head.buffer)), chunk('IDAT', body), chunk('IEND', new Uint8Array())]
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), ...parts])
}
