// The exported towers against transformers' own in float32, and against SGLang's in bfloat16.
import { describe, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportVision } from '../../../../src/engine/vision/export/export.ts'
import { narrow } from '../../../../src/engine/vision/onnx/narrow.ts'
import { openTower, type Tower } from '../../../../src/engine/vision/onnx/runtime.ts'
import { need } from '../../../helpers/need.ts'
import { pythonWith, run } from '../../../helpers/python.ts'
import { cpuEnv } from '../../../helpers/sglang.ts'
import { exporterPython, tinyTower, wholeEnv } from '../../../helpers/vision-fixtures.ts'

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

test.skipIf(!transformers || exporterPython() === undefined)(
  'families without a fixture are what transformers computes too',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'towers-'))
    try {
      await runPython('make_towers.py', folder)
      const families = readdirSync(folder)
      expect(families.sort()).toEqual(['qwen2_5_vl', 'qwen2_vl', 'qwen3_5', 'qwen3_vl'])
      for (const family of families) {
        const modelPath = join(folder, family)
        const { path } = await exportVision({ modelPath, python: exporterPython()!, env: wholeEnv() })
        const tower = await openTower({ tower: path, device: 'cpu', threads: 1 })
        for (const { grids, pixels, rows } of await reference(family, modelPath, 'reference.py')) {
          const error = distance(await encode(tower, grids, pixels, 'transformers'), rows)
          expect({ family, grids, error, within: error <= 2e-6 * largest(rows) }).toMatchObject({ within: true })
        }
        await tower.close()
      }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
  300_000,
)

describe.each(['tiny-vl', 'tiny-vl3'] as const)('%s alone', async (name) => {
  const made = await tinyTower(name)

  test.skipIf(made === undefined)(
    'no bit depends on the number of threads or on what is stacked with a picture',
    async () => {
      const towers = await Promise.all([1, 2, 3].map((threads) => openTower({ tower: made!.tower, device: 'cpu', threads })))
      const { channels, temporal, patch } = towers[0]!.facts
      const values = channels * temporal * patch * patch
      for (const [height, width] of [
        [2, 2],
        [6, 22],
        [10, 18],
        [34, 46],
      ] as const) {
        const one = height * width * values
        const pixels = Float32Array.from({ length: 3 * one }, (_, i) => 2 * Math.sin(i * 0.7 + Math.floor(i / one)))
        const alone = []
        for (let i = 0; i < 3; i++) alone.push(await towers[0]!.run(pixels.slice(i * one, (i + 1) * one), { frames: 1, height, width }))
        const expected = Buffer.concat(alone.map(bytesOf))
        for (const tower of towers) {
          const together = bytesOf(await tower.run(pixels, { frames: 3, height, width }))
          expect({ height, width, same: expected.equals(together) }).toMatchObject({ same: true })
        }
      }
      await Promise.all(towers.map((tower) => tower.close()))
    },
    60_000,
  )

  test.skipIf(made === undefined)(
    'a long clip runs in slices, and its rows are those of its frames',
    async () => {
      const tower = await openTower({ tower: made!.tower, device: 'cpu', threads: 1 })
      const { channels, temporal, patch } = tower.facts
      const frame = 32 * 32 * channels * temporal * patch * patch
      const pixels = Float32Array.from({ length: 9 * frame }, (_, i) => Math.sin(i * 0.7 + Math.floor(i / frame)))
      const all = await tower.run(pixels, { frames: 9, height: 32, width: 32 })
      const last = await tower.run(pixels.slice(8 * frame), { frames: 1, height: 32, width: 32 })
      expect(all.length).toBe(9 * last.length)
      expect(Buffer.compare(bytesOf(all.subarray(8 * last.length)), bytesOf(last))).toBe(0)
      await tower.close()
    },
    30_000,
  )

  test.skipIf(made === undefined)('plain attention is the same function, and refuses what its memory cannot hold', async () => {
    const [fused, plain] = await Promise.all(
      [true, false].map((fused) => openTower({ tower: made!.tower, device: 'cpu', threads: 1, fused })),
    )
    const { channels, temporal, patch } = fused!.facts
    const pixels = Float32Array.from({ length: 2 * 10 * 14 * channels * temporal * patch * patch }, (_, i) => Math.sin(i))
    const size = { frames: 2, height: 10, width: 14 }
    const right = await fused!.run(pixels, size)
    expect(distance(await plain!.run(pixels, size), right)).toBeLessThan(3e-6 * largest(right))
    await expect(plain!.run(new Float32Array(0), { frames: 1, height: 66, width: 64 })).rejects.toMatchObject({ code: 'invalid_image' })
    await Promise.all([fused!.close(), plain!.close()])
  })

  test.skipIf(made === undefined)(
    'memory grows with the patches of a picture, not with their square',
    async () => {
      const peak = async (height: number, width: number) => {
        const { code, stdout, stderr } = await run(
          [process.execPath, join(import.meta.dir, 'peak.ts'), made!.tower, `${height}`, `${width}`],
          120_000,
        )
        expect({ code, stderr }).toMatchObject({ code: 0 })
        return Number(stdout)
      }
      const [small, large] = [await peak(32, 32), await peak(128, 64)]
      // 8 times the patches; all scores at once would be 4 × 8192² × 4 bytes = 1 GB.
      expect(large - small).toBeLessThan(300)
    },
    120_000,
  )
})

const bytesOf = (values: Float32Array) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength)

async function runPython(script: string, ...words: string[]): Promise<void> {
  const env = { ...cpuEnv(), SGLANG_HOST_IP: '127.0.0.1' }
  const { code, stderr } = await run([python!, '-W', 'ignore', join(import.meta.dir, script), ...words], 240_000, env)
  if (code !== 0) throw new Error(`${script} ended with ${code}: ${stderr.slice(-2000)}`)
}

async function reference(name: string, modelPath: string, ...scripts: string[]): Promise<Case[]> {
  const folder = mkdtempSync(join(tmpdir(), `${name}-`))
  try {
    for (const script of scripts) await runPython(script, modelPath, folder)
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
