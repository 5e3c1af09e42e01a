// Our own encoder keeps the promises of the seam, and those of its own: a picture's bytes do not depend on its company, nothing large gets in, a process
// that dies comes back.
import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { itemHash } from '../../../../src/engine/vision/embeddings.ts'
import { type OnnxEncoderOptions, onnxEncoder } from '../../../../src/engine/vision/onnx/encoder.ts'
import { visionModelOf } from '../../../../src/media/vision/open.ts'
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

    test('a picture of more patches than allowed is the client’s error, and says which flag', async () => {
      const encoder = await start({ maxPatches: 100 })
      await expect(encoder.encode(second!, never)).rejects.toMatchObject({
        code: 'invalid_image',
        message: expect.stringContaining('(100; --vision-max-patches)'),
      })
      await encoder.stop()
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

test('a tower that is not there, or is not ours, is refused by name at the start', async () => {
  const modelPath = await visionFixture('tiny-vl')
  const none = onnxEncoder(tinyEncoderOptions({ modelPath, tower: '/nowhere/vision.onnx' }))
  await expect(none.start()).rejects.toMatchObject({
    code: 'model_path_not_found',
    message: expect.stringContaining('export-vision --model-path'),
  })
  const other = onnxEncoder(tinyEncoderOptions({ modelPath, tower: `${modelPath}/config.json` }))
  await expect(other.start()).rejects.toMatchObject({ code: 'model_files_invalid', param: '--vision-tower' })
})
