import { expect, test } from 'bun:test'
import { type Factors, factorsOf, type LatentFamily } from '../../kernels/latent-preview/factors.ts'
import { latentPreview, latentPreviewCall } from '../../kernels/latent-preview/kernel.ts'
import { latentPreviewPlain } from '../../kernels/latent-preview/reference.ts'
import { random } from '../helpers/random.ts'
import { kernelSuite } from '../suites/kernel.suite.ts'

const channels = 16
const sizes = [
  [1, 1],
  [3, 1],
  [5, 7],
  [64, 4],
  [65, 1],
  [61, 31],
  [128, 128],
] as const // prettier-ignore

kernelSuite(
  (['flux', 'wan21'] as LatentFamily[]).flatMap((family) =>
    sizes.map(([width, height]) => {
      const next = random(width * 100 + height)
      const data = Float32Array.from({ length: channels * width * height }, () => (next(1 << 24) / (1 << 24)) * 8 - 4)
      const latents = { family, data, channels, width, height }
      return {
        name: `${family} ${width}x${height}`,
        call() {
          const { cpu, gpu, ...rest } = latentPreviewCall(latents)
          return {
            ...rest,
            cpu: { ...cpu, result: () => cpu.result().rgb },
            gpu: { ...gpu, result: (bytes: Uint8Array) => gpu.result(bytes).rgb },
          }
        },
        plain: () => latentPreviewPlain(latents).rgb,
      }
    }),
  ),
  1,
)

test.each(['flux', 'wan21'] as const)('latents of a colour in %s give that colour back', async (family) => {
  for (const color of [
    [0.5, -0.25, 0.125],
    [-0.6, -0.6, -0.6],
    [0.7, 0.7, 0.7],
  ]) {
    const latent = closestLatent(factorsOf[family], color)
    const { rgb, width, height } = await latentPreview({ family, data: Float32Array.from(latent), channels, width: 1, height: 1 })
    expect({ rgb: [...rgb], width, height }).toEqual({ rgb: color.map((c) => Math.round((c / 2 + 0.5) * 255)), width: 1, height: 1 })
  }
})

/** The smallest latent whose colour this is: Fᵀ(FFᵀ)⁻¹(color − bias), solved by elimination. */
function closestLatent({ factors, bias }: Factors, color: readonly number[]): number[] {
  const rows = [0, 1, 2].map((i) => [...[0, 1, 2].map((j) => factors.reduce((sum, f) => sum + f[i]! * f[j]!, 0)), color[i]! - bias[i]!])
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 3; j++) {
      if (i === j) continue
      const by = rows[j]![i]! / rows[i]![i]!
      for (let k = 0; k < 4; k++) rows[j]![k]! -= by * rows[i]![k]!
    }
  }
  const weights = rows.map((row, i) => row[3]! / row[i]!)
  return factors.map((f) => f[0] * weights[0]! + f[1] * weights[1]! + f[2] * weights[2]!)
}

test('shapes that do not fit are refused', async () => {
  const one = { family: 'flux' as const, data: new Float32Array(16), channels: 16, width: 1, height: 1 }
  expect(latentPreview({ ...one, channels: 4 })).rejects.toThrow('latents of flux have 16 channels, these 4')
  expect(latentPreview({ ...one, width: 2 })).rejects.toThrow('latents have 16 values, 16x1x2 needs 32')
})
