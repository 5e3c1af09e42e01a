// Where a tower runs when the user left it open, and whether a GPU computes what the CPU does.
import { openDevice } from '../../../gpu/device.ts'
import { AppError } from '../../../lib/errors.ts'
import { log } from '../../../lib/log.ts'
import { openTower, type RuntimeOptions, type Tower, type VisionDevice } from './runtime.ts'

/** Of the largest value. Sums in another order differ by 1e-6, a kernel that is wrong by 1e-3 and more. */
const allowed = 1e-4
/** More than the tiles that kernels work in, and no multiple of them; one picture and a clip. */
const probes = [
  { frames: 1, height: 10, width: 14 },
  { frames: 2, height: 6, width: 6 },
]

type Wanted = Omit<RuntimeOptions, 'device' | 'fused'> & { device: VisionDevice | 'auto' }

/**
 * The tower on the wanted device. `auto` takes WebGPU only where there is a GPU, as a software driver computes the same on the CPU, many times slower. What WebGPU
 * computes is compared with the CPU first: there are drivers on which ONNX Runtime's attention is wrong, and then its plain steps are tried. Rejects with
 * `invalid_setting` when the user asked for WebGPU and neither is right.
 */
export async function openOnDevice({ device, ...options }: Wanted): Promise<Tower> {
  if (device === 'cpu') return openTower({ ...options, device })
  if (device === 'auto') {
    const gpu = await openDevice()
    if (gpu === undefined || gpu.software) return openTower({ ...options, device: 'cpu' })
  }
  try {
    return await checkedOnGpu(options)
  } catch (thrown) {
    if (device === 'webgpu') throw thrown
    log.warn({ err: thrown }, 'the vision tower runs on the CPU')
    return openTower({ ...options, device: 'cpu' })
  }
}

async function checkedOnGpu(options: Omit<RuntimeOptions, 'device' | 'fused'>): Promise<Tower> {
  const cpu = await openTower({ ...options, device: 'cpu' })
  const right = await answers(cpu)
  await cpu.close()
  const errors: number[] = []
  for (const fused of [true, false]) {
    const tower = await openTower({ ...options, device: 'webgpu', fused })
    const error = distance(await answers(tower), right)
    log.info({ fused, error }, 'the vision tower on WebGPU')
    if (error <= allowed) return tower
    errors.push(error)
    await tower.close()
  }
  throw new AppError('invalid_setting', {
    param: '--vision-device',
    message: `The vision tower computes something else on WebGPU here than on the CPU: off by ${errors.map((error) => error.toExponential(1)).join(' and ')} of the largest value. Run it with --vision-device cpu.`,
  })
}

function answers(tower: Tower): Promise<Float32Array[]> {
  const { channels, temporal, patch } = tower.facts
  const values = channels * temporal * patch * patch
  return Promise.all(
    probes.map((size) => {
      const pixels = new Float32Array(size.frames * size.height * size.width * values)
      for (let i = 0; i < pixels.length; i++) pixels[i] = 2 * Math.sin(i * 0.37 + Math.floor(i / values) * 1.3)
      return tower.run(pixels, size)
    }),
  )
}

/** Largest difference as a part of the largest value; Infinity where there is no number. */
function distance(found: readonly Float32Array[], right: readonly Float32Array[]): number {
  let most = 0
  let largest = 0
  for (const [i, rows] of right.entries()) {
    for (let at = 0; at < rows.length; at++) {
      const difference = Math.abs(found[i]![at]! - rows[at]!)
      if (!(difference <= most)) most = Number.isNaN(difference) ? Infinity : difference
      largest = Math.max(largest, Math.abs(rows[at]!))
    }
  }
  return most / largest
}
