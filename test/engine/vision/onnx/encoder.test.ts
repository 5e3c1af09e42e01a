// Our own encoder keeps the promises of the seam, and those of its own: a picture's bytes do not depend on its company, nothing large gets in, a process
// that dies comes back.
import { describe, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { MediaItem } from '../../../../src/engine/types.ts'
import { itemHash } from '../../../../src/engine/vision/embeddings.ts'
import { type OnnxEncoderOptions, onnxEncoder } from '../../../../src/engine/vision/onnx/encoder.ts'
import { visionModelOf } from '../../../../src/media/vision/open.ts'
import { need } from '../../../helpers/need.ts'
import { pngOf, withPictures } from '../../../helpers/pictures.ts'
import { tinyEncoderOptions, tinyTower, visionFixture, visionProcess } from '../../../helpers/vision-fixtures.ts'
import { visionSuite } from '../../../suites/vision.suite.ts'

const never = new AbortController().signal

async function items(name: 'tiny-vl' | 'tiny-vl3', sizes: [number, number][]) {
  const model = (await visionModelOf(await visionFixture(name)))!
  const files = await Promise.all(sizes.map(([width, height], i) => pngOf(width, height, i + 1)))
  return (
    await withPictures(
      model,
      files.map(() => model.imageTokenId),
      files,
    )
  ).media!
}

for (const name of ['tiny-vl', 'tiny-vl3'] as const) {
  const made = await tinyTower(name)
  const [first, second, third, fourth] = await items(name, [
    [112, 84],
    [300, 200],
    [112, 84],
    [112, 84],
  ])
  const broken = { ...first!, file: new TextEncoder().encode('no picture'), hash: 'broken' }
  const start = async (more: Partial<OnnxEncoderOptions> = {}) => {
    const encoder = onnxEncoder(tinyEncoderOptions(made!, more))
    await encoder.start()
    return encoder
  }

  describe.skipIf(made === undefined)(name, () => {
    visionSuite(`onnx encoder of ${name}`, () => onnxEncoder(tinyEncoderOptions(made!)), {
      pictures: [first!, second!, third!, fourth!],
      broken,
    })

    test('a clip becomes the rows of its frames in pairs; still, each group is what the picture would be', async () => {
      const model = (await visionModelOf(await visionFixture(name)))!
      const still = await pngOf(224, 196, 5)
      const [picture] = await items(name, [[224, 196]])
      const clip = async (frames: Uint8Array[]): Promise<MediaItem> => {
        const { grid, tokens } = model.clips!.plan(frames.length, 224, 196, 'test')
        return { ...picture!, kind: 'video', file: new Uint8Array(), frames, grid, tokens, hash: `clip of ${frames.length}` }
      }
      const encoder = await start({ type: 'float32' })
      const moving = await clip([still, await pngOf(224, 196, 6), await pngOf(224, 196, 7), still])
      const [one, other] = [await encoder.encode(moving, never), await encoder.encode(await clip([still, still, still, still]), never)]
      await encoder.stop()
      expect(one.grid[0]).toBe(2)
      expect(one.rows).toBe((one.grid[0] * one.grid[1] * one.grid[2]) / 4)
      expect(one.itemHash).not.toBe(other.itemHash)
      const half = other.bytes.length / 2
      // SGLang lets Qwen2.5-VL attend over the whole clip: of equal groups that changes nothing but the order of sums.
      const [first, second] = [other.bytes.subarray(0, half), other.bytes.subarray(half)].map(
        (bytes) => new Float32Array(bytes.slice().buffer),
      )
      const apart = first!.reduce((most, value, i) => Math.max(most, Math.abs(value - second![i]!)), 0)
      expect(apart).toBeLessThan(1e-4)
    })

    test('a picture in float32 and in bfloat16 is the same picture, rounded', async () => {
      const [exact, rounded] = [await start({ type: 'float32' }), await start()]
      const [wide, half] = [await exact.encode(second!, never), await rounded.encode(second!, never)]
      await Promise.all([exact.stop(), rounded.stop()])
      expect(exact.info.domain).not.toBe(rounded.info.domain)
      expect(half.bytes.length * 2).toBe(wide.bytes.length)
      const values = new Float32Array(wide.bytes.buffer, wide.bytes.byteOffset, wide.rows * wide.dim)
      const halves = new Uint16Array(half.bytes.buffer, half.bytes.byteOffset, half.rows * half.dim)
      const error = values.reduce((most, value, i) => {
        const back = new Float32Array(Uint32Array.of(halves[i]! << 16).buffer)[0]!
        return Math.max(most, Math.abs(back - value) / Math.abs(value))
      }, 0)
      expect(error).toBeLessThanOrEqual(2 ** -8)
      expect(error).toBeGreaterThan(2 ** -10)
    })

    test('a picture that is larger than a batch is encoded alone, to the same bytes', async () => {
      const encoder = await start({ batchPatches: 4 })
      const usual = await start()
      const [alone, rows] = await Promise.all([encoder.encode(second!, never), usual.encode(second!, never)])
      expect(alone.itemHash).toBe(rows.itemHash)
      await Promise.all([encoder.stop(), usual.stop()])
    })

    test('a prompt made for another grid is refused: its rows would stand in the wrong places', async () => {
      const encoder = await start()
      const [t, h, w] = first!.grid
      await expect(encoder.encode({ ...first!, grid: [t, w, h] }, never)).rejects.toMatchObject({ code: 'engine_failed' })
      await encoder.stop()
    })

    test('its event loop is free while the tower runs, and how long each step took is told', async () => {
      const told: number[] = []
      const encoder = await start({ observe: ({ encode }, patches) => told.push(encode, patches) })
      let turns = 0
      const timer = setInterval(() => turns++, 1)
      const [big] = await items(name, [[640, 480]])
      const result = await encoder.encode(big!, never)
      clearInterval(timer)
      await encoder.stop()
      expect(result.rows).toBe(big!.tokens)
      expect(turns).toBeGreaterThan(3)
      expect(told[0]).toBeGreaterThan(0)
      expect(told[1]).toBe(big!.tokens * 4)
    })

    test('a process that is killed is replaced, with the same bytes', async () => {
      const pidFile = join(tmpdir(), `vision-process-${name}-${process.pid}`)
      const encoder = await start({ command: ['/bin/sh', '-c', `echo $$ > ${pidFile}; exec "$0" "$@"`, ...visionProcess] })
      const states: boolean[] = []
      encoder.on(({ ready }) => states.push(ready))
      const before = await encoder.encode(first!, never)
      process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGKILL')
      await expect(encoder.encode(second!, never)).rejects.toMatchObject({ code: 'engine_unavailable' })
      while (!encoder.ready) await Bun.sleep(20)
      expect(states).toEqual([false, true])
      expect((await encoder.encode(first!, never)).itemHash).toBe(before.itemHash)
      expect(before.itemHash).toBe(itemHash(before.bytes))
      await encoder.stop()
    }, 30_000)
  })
}

const binary = join(import.meta.dir, '../../../../dist/dynamo-sglang')
const built = need('the executable (bun run build)', existsSync(binary))
const tiny = await tinyTower('tiny-vl')

test.skipIf(!built || tiny === undefined)(
  'the executable encodes the same bytes, alone in an empty home',
  async () => {
    const home = mkdtempSync(join(tmpdir(), 'vision-home-'))
    const [picture] = await items('tiny-vl', [[300, 200]])
    const hashes = []
    for (const more of [{}, { command: [binary, 'vision-process'], env: { HOME: home, TMPDIR: home } }]) {
      const encoder = onnxEncoder(tinyEncoderOptions(tiny!, more))
      await encoder.start()
      hashes.push((await encoder.encode(picture!, never)).itemHash)
      await encoder.stop()
    }
    expect(hashes[1]).toBe(hashes[0]!)
    // Nothing of ONNX Runtime's statistics (mat-debug-*.log, *.ses), and its libraries only once.
    expect(readdirSync(home)).toEqual(['.cache'])
    rmSync(home, { recursive: true })
  },
  60_000,
)

test('a tower that is not there, or is not ours, is refused by name at the start', async () => {
  const modelPath = await visionFixture('tiny-vl')
  const none = onnxEncoder(tinyEncoderOptions({ modelPath, tower: '/nowhere/vision.onnx' }))
  await expect(none.start()).rejects.toMatchObject({
    code: 'model_path_not_found',
    message: expect.stringContaining('export-vision --model-path'),
  })
  if (tiny !== undefined) {
    const foreign = onnxEncoder(tinyEncoderOptions({ modelPath: await visionFixture('tiny-vl3'), tower: tiny.tower }))
    await expect(foreign.start()).rejects.toMatchObject({
      code: 'invalid_setting',
      message: expect.stringContaining('its family is qwen2_5_vl'),
    })
  }
  const other = onnxEncoder(tinyEncoderOptions({ modelPath, tower: `${modelPath}/config.json` }))
  await expect(other.start()).rejects.toMatchObject({ code: 'model_files_invalid', param: '--vision-tower' })
})
