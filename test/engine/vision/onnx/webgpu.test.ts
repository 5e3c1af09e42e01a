// The tower on WebGPU (a GPU, else SwiftShader): compared with the CPU at the start, and what it then encodes is what the CPU encodes, to the last digits.
import { expect, test } from 'bun:test'
import { onnxEncoder } from '../../../../src/engine/vision/onnx/encoder.ts'
import { visionModelOf } from '../../../../src/media/vision/open.ts'
import { pngOf, withPictures } from '../../../helpers/pictures.ts'
import { tinyEncoderOptions, tinyTower, visionFixture, wholeEnv } from '../../../helpers/vision-fixtures.ts'
import { driverEnv, testDevice } from '../../../helpers/webgpu.ts'

const never = new AbortController().signal
const gpu = await testDevice()

for (const name of ['tiny-vl', 'tiny-vl3'] as const) {
  const made = await tinyTower(name)

  test.skipIf(gpu === undefined || made === undefined)(
    `${name} on WebGPU`,
    async () => {
      const model = (await visionModelOf(await visionFixture(name)))!
      const { media } = await withPictures(model, [model.imageTokenId], [await pngOf(112, 84)])
      const rows: Float32Array[] = []
      const domains: string[] = []
      for (const device of ['cpu', 'webgpu'] as const) {
        const encoder = onnxEncoder(tinyEncoderOptions(made!, { device, type: 'float32', env: { ...wholeEnv(), ...driverEnv() } }))
        let reason = ''
        encoder.on((state) => {
          if (state.ready) reason = state.reason
        })
        domains.push((await encoder.start()).domain)
        expect(reason).toStartWith(`runs on ${device}`)
        const { bytes } = await encoder.encode(media![0]!, never)
        rows.push(new Float32Array(bytes.slice().buffer))
        await encoder.stop()
      }
      const largest = Math.max(...rows[0]!.map(Math.abs))
      const apart = Math.max(...rows[1]!.map((value, i) => Math.abs(value - rows[0]![i]!)))
      expect(apart).toBeLessThan(5e-6 * largest)
      // Sums in another order are other bytes: a cache must not mix them.
      expect(domains[0]).not.toBe(domains[1]!)
    },
    120_000,
  )
}

test('a WebGPU that is not there is told at the start, and auto takes the CPU', async () => {
  const made = await tinyTower('tiny-vl')
  if (made === undefined) return
  const env = { ...wholeEnv(), VK_DRIVER_FILES: '/nowhere.json' }
  const asked = onnxEncoder(tinyEncoderOptions(made, { device: 'webgpu', env }))
  await expect(asked.start()).rejects.toMatchObject({ code: 'invalid_setting', param: '--vision-device' })
  const open = onnxEncoder(tinyEncoderOptions(made, { device: 'auto', env }))
  const heard: string[] = []
  open.on(({ reason }) => heard.push(reason))
  await open.start()
  await open.stop()
  expect(heard[0]).toBe('runs on cpu')
}, 30_000)
