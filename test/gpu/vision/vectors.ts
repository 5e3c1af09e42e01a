// All pictures of test/fixtures/vision through the executable's own `preprocess` on this machine's device: do the sums equal those of the models' own processors?
// `bun test/gpu/vision/vectors.ts [--binary dist/dynamo-sglang] [--kernels webgpu] [--out FILE]`. `pil` and `tv_u8` must be equal, `tv_f32` is within one level and need not.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { describeMachine } from '../machine.ts'

const { values: options } = parseArgs({
  options: {
    binary: { type: 'string', default: 'dist/dynamo-sglang' },
    kernels: { type: 'string', default: 'webgpu' },
    out: { type: 'string' },
  },
})
interface Vector {
  out: Record<string, Record<string, { sha256: string }>>
}
interface Told {
  pixel_values_sha256: string
  ran?: { cpu: number; webgpu: number }
}

const folder = join(import.meta.dir, '../../fixtures/vision')
const vectors = JSON.parse(readFileSync(join(folder, 'vectors.json'), 'utf8')) as Record<string, Vector>
const names = Object.keys(vectors)
const processors = [...new Set(names.flatMap((name) => Object.keys(vectors[name]!.out)))]
const questions = processors.flatMap((processor) => ['pil', 'tv_u8', 'tv_f32'].map((backend) => ({ processor, backend })))
const rows = await Promise.all(questions.map(ask))
console.table(rows)
const exact = rows.filter(({ backend }) => backend !== 'tv_f32')
console.log(`${exact.reduce((sum, { equal }) => sum + equal, 0)} of ${exact.reduce((sum, { of }) => sum + of, 0)} equal to the bit`)
if (options.out !== undefined) {
  const machine = describeMachine('python3', options.binary)
  writeFileSync(options.out, `${JSON.stringify({ date: new Date().toISOString(), machine, kernels: options.kernels, rows }, null, 1)}\n`)
}

async function ask({ processor, backend }: { processor: string; backend: string }) {
  const known = names.filter((name) => vectors[name]!.out[processor]?.[backend] !== undefined)
  const files = known.map((name) => join(folder, 'images', name))
  const row = { processor, backend, equal: 0, of: known.length, onDevice: 0, onCpu: 0, unequal: '' }
  if (known.length === 0) return row
  const flags = ['--processor', processor, '--backend', backend, '--gpu-kernels', options.kernels, '--json']
  const env = { ...process.env, BUN_BE_BUN: undefined }
  const child = Bun.spawn([options.binary, 'preprocess', ...files, ...flags], { stderr: 'pipe', env, timeout: 180_000 })
  const [printed, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  const told = printed.trim().split('\n').filter(Boolean)
  const unequal: string[] = []
  for (const [i, line] of told.entries()) {
    const { pixel_values_sha256: sum, ran } = JSON.parse(line) as Told
    if (sum === vectors[known[i]!]!.out[processor]![backend]!.sha256) row.equal++
    else unequal.push(known[i]!)
    row.onDevice += ran?.webgpu ?? 0
    row.onCpu += ran?.cpu ?? 0
  }
  const missing = told.length < known.length ? [`${known.length - told.length} not done: ${errors.trim().slice(-200)}`] : []
  return { ...row, unequal: [...unequal, ...missing].join(' ') }
}
