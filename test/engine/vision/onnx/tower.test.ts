// The exported towers against transformers' own in float32, and against SGLang's in bfloat16.
import { describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { narrow } from '../../../../src/engine/vision/onnx/narrow.ts'
import { openTower, type Tower } from '../../../../src/engine/vision/onnx/runtime.ts'
import { need } from '../../../helpers/need.ts'
import { pythonWith, run } from '../../../helpers/python.ts'
import { cpuEnv } from '../../../helpers/sglang.ts'
import { tinyTower, type VisionFixture } from '../../../helpers/vision-fixtures.ts'

interface Case {
  grids: [number, number, number][]
  /** [patches, values] and [rows, width] of all pictures, one after another. */
  pixels: Float32Array
  rows: Float32Array
  sglang?: Float32Array
}

const python = pythonWith('transformers')
const transformers = need('a Python with transformers (bun run sglang:setup)', python !== undefined)
const sglang = need('SGLang (bun run sglang:setup)', pythonWith('sglang') !== undefined)

describe.each(['tiny-vl', 'tiny-vl3'] as const)('%s', async (name) => {
  const made = await tinyTower(name)

  test.skipIf(!transformers || made === undefined)(
    'is what transformers computes, to 2e-6 of the largest value, on every grid',
    async () => {
      const tower = await openTower({ tower: made!.tower, device: 'cpu', threads: 1 })
      for (const { grids, pixels, rows } of await reference(name, made!.modelPath, 'reference.py')) {
        const error = distance(await encode(tower, grids, pixels, 'transformers'), rows)
        expect({ grids, error, within: error <= 2e-6 * largest(rows) }).toMatchObject({ within: true })
        expect(largest(rows)).toBeGreaterThan(5)
      }
      await tower.close()
    },
    120_000,
  )

  test.skipIf(!transformers || !sglang || made === undefined)(
    'in bfloat16 is nearer to its own float32 than SGLang’s tower',
    async () => {
      const tower = await openTower({ tower: made!.tower, device: 'cpu', threads: 1 })
      for (const { grids, pixels, sglang } of await reference(name, made!.modelPath, 'reference.py', 'sglang_tower.py')) {
        const exact = await encode(tower, grids, pixels, 'sglang')
        const ours = distance(widen(narrow(exact, 'bfloat16')), exact)
        const theirs = distance(sglang!, exact)
        expect({ grids, ours, theirs, nearer: ours <= theirs }).toMatchObject({ nearer: true })
        // And it is the same function: SGLang rounds at each step, which costs it a hundredth and not more.
        expect(theirs).toBeLessThan(0.02 * largest(exact))
      }
      await tower.close()
    },
    300_000,
  )
})

async function reference(name: VisionFixture, modelPath: string, ...scripts: string[]): Promise<Case[]> {
  const folder = mkdtempSync(join(tmpdir(), `${name}-`))
  try {
    for (const script of scripts) {
      const env = { ...cpuEnv(), SGLANG_HOST_IP: '127.0.0.1' }
      const { code, stderr } = await run([python!, '-W', 'ignore', join(import.meta.dir, script), modelPath, folder], 240_000, env)
      if (code !== 0) throw new Error(`${script} ended with ${code}: ${stderr.slice(-2000)}`)
    }
    const floats = async (file: string) => new Float32Array(await Bun.file(join(folder, file)).arrayBuffer())
    const cases = (await Bun.file(join(folder, 'cases.json')).json()) as Pick<Case, 'grids'>[]
    return await Promise.all(
      cases.map(async ({ grids }, i) => ({
        grids,
        pixels: await floats(`${i}.pixels`),
        rows: await floats(`${i}.rows`),
        ...(scripts.length > 1 ? { sglang: await floats(`${i}.sglang`) } : {}),
      })),
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Picture by picture, as the encoder does it. */
async function encode(tower: Tower, grids: Case['grids'], pixels: Float32Array, clips: 'sglang' | 'transformers'): Promise<Float32Array> {
  const patchValues = pixels.length / grids.reduce((sum, [t, h, w]) => sum + t * h * w, 0)
  const parts: Float32Array[] = []
  let at = 0
  for (const [frames, height, width] of grids) {
    const end = at + frames * height * width * patchValues
    const groups = clips === 'sglang' && tower.facts.family === 'qwen2_5_vl' ? { groups: 1 } : {}
    parts.push(await tower.run(pixels.slice(at, end), { frames, height, width, ...groups }))
    at = end
  }
  return Float32Array.from(parts.flatMap((part) => [...part]))
}

function widen(bytes: Uint8Array): Float32Array {
  const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2)
  return new Float32Array(Uint32Array.from(halves, (bits) => bits << 16).buffer)
}

function distance(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length)
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0)
}

function largest(values: Float32Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
}
