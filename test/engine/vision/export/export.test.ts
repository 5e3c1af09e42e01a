// The exporter: what it writes, in which storage, and what it says when something lacks.
import { afterAll, describe, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exporterFiles, exportVision } from '../../../../src/engine/vision/export/export.ts'
import { openTower } from '../../../../src/engine/vision/onnx/runtime.ts'
import { readTowerFacts } from '../../../../src/engine/vision/onnx/tower-file.ts'
import { need } from '../../../helpers/need.ts'
import { exporterPython, visionFixture, wholeEnv } from '../../../helpers/vision-fixtures.ts'

const folder = mkdtempSync(join(tmpdir(), 'export-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const env = wholeEnv()
const python = exporterPython()
const bare = Bun.which('python3')
const modelPath = await visionFixture('tiny-vl')

test('every Python file of the folder travels in the executable', () => {
  const there = readdirSync(join(import.meta.dir, '../../../../src/engine/vision/export/python')).filter((name) => name.endsWith('.py'))
  expect(Object.keys(exporterFiles).sort()).toEqual(there.sort())
})

test('a Python that is not there is told', async () => {
  await expect(exportVision({ modelPath, python: '/nowhere/python', env })).rejects.toMatchObject({
    code: 'python_not_found',
    param: '--python',
  })
})

test.skipIf(!need('python3', bare !== null))('what Python lacks is told with the line that installs it', async () => {
  // Isolated: without the packages of anybody.
  const isolated = join(folder, 'python')
  writeFileSync(isolated, `#!/bin/sh\nexec ${bare} -I -S "$@"\n`, { mode: 0o755 })
  await expect(exportVision({ modelPath, python: isolated, env })).rejects.toMatchObject({
    code: 'invalid_setting',
    message: `${isolated} lacks numpy and onnx. Install them with: ${isolated} -m pip install numpy onnx`,
  })
})

describe.skipIf(python === undefined)('with numpy and onnx', () => {
  const out = join(folder, 'tower.onnx')
  const write = (more: Partial<Parameters<typeof exportVision>[0]> = {}) => exportVision({ modelPath, python: python!, env, out, ...more })

  test('the file says what it is, twice the same for the same weights', async () => {
    const first = await write()
    expect(first).toMatchObject({
      path: out,
      bytes: statSync(out).size,
      facts: { family: 'qwen2_5_vl', width: 64, storage: 'bfloat16', window: 112 },
    })
    expect(await readTowerFacts(out, '--vision-tower')).toEqual(first.facts)
    const bytes = await Bun.file(out).bytes()
    await write()
    expect(Buffer.compare(await Bun.file(out).bytes(), bytes)).toBe(0)
  })

  test('large weights lie beside it and are the same tower', async () => {
    await write()
    const pixels = new Float32Array(16 * 1176).map((_, i) => Math.sin(i))
    const compute = async () => {
      const tower = await openTower({ tower: out, device: 'cpu', threads: 1 })
      const rows = await tower.run(pixels, { frames: 1, height: 4, width: 4 })
      await tower.close()
      return rows
    }
    const inside = await compute()
    const { bytes } = await write({ inlineBytes: 0 })
    expect(statSync(`${out}.data`).size).toBeGreaterThan(0.8 * bytes)
    expect(await compute()).toEqual(inside)
    await write()
    expect(existsSync(`${out}.data`)).toBe(false)
  })

  test('float32 and bfloat16 hold the same bfloat16 weights, float16 nearly', async () => {
    const pixels = new Float32Array(16 * 1176).map((_, i) => Math.cos(i))
    const rows: Float32Array[] = []
    for (const storage of ['bfloat16', 'float32', 'float16'] as const) {
      await write({ storage })
      const tower = await openTower({ tower: out, device: 'cpu', threads: 1 })
      expect(tower.facts.storage).toBe(storage)
      rows.push(await tower.run(pixels, { frames: 1, height: 4, width: 4 }))
      await tower.close()
    }
    expect(rows[1]).toEqual(rows[0]!)
    expect(Math.max(...rows[2]!.map((value, i) => Math.abs(value - rows[0]![i]!)))).toBeLessThan(0.02)
  })

  test.each([
    [
      'a model of text',
      join(modelPath, '../tiny-llm'),
      "towers of model_type 'qwen3' cannot be exported; known: qwen2_vl, qwen2_5_vl, qwen3_vl",
    ],
    ['a folder without a model', folder, 'has no config.json'],
    ['no folder', '/nowhere/a/model', 'is neither a model folder nor the name of a model on the Hub'],
  ])('%s is refused by name', async (_, path, why) => {
    await expect(write({ modelPath: path })).rejects.toMatchObject({ code: 'model_files_invalid', message: expect.stringContaining(why) })
  })

  test('a place that cannot be written is told as the place, and with what to do', async () => {
    const folderOf = join(folder, 'not-there')
    await expect(write({ out: join(folderOf, 'x.onnx') })).rejects.toMatchObject({
      code: 'invalid_setting',
      param: '--out',
      message: `There is no folder ${folderOf}. Make it, or name another place with --out.`,
    })
    await expect(write({ out: folder })).rejects.toMatchObject({ code: 'invalid_setting', message: expect.stringContaining('is a folder') })
    await expect(write({ out: '/proc/x.onnx' })).rejects.toMatchObject({
      code: 'invalid_setting',
      message: expect.stringMatching(/^(Nothing may be written into \/proc|\/proc\/x\.onnx could not be written).* with --out\.$/),
    })
  })

  test('a checkpoint whose tower is another one than its config says is refused', async () => {
    const mixed = mkdtempSync(join(folder, 'mixed-'))
    const other = await visionFixture('tiny-vl3')
    await Bun.write(join(mixed, 'config.json'), Bun.file(join(modelPath, 'config.json')))
    await Bun.write(join(mixed, 'model.safetensors'), Bun.file(join(other, 'model.safetensors')))
    await expect(write({ modelPath: mixed })).rejects.toMatchObject({
      message: expect.stringContaining('the checkpoint has no tensor model.visual.'),
    })
  })
})
