// Where a tower runs when the user left it open.
import { openDevice } from '../../../gpu/device.ts'
import { log } from '../../../lib/log.ts'
import type { VisionDevice } from './runtime.ts'

/** `auto` takes WebGPU only where there is a GPU: a software driver computes the same on the CPU, many times slower. */
export async function chooseDevice(wanted: VisionDevice | 'auto'): Promise<VisionDevice> {
  if (wanted !== 'auto') return wanted
  const gpu = await openDevice()
  const device = gpu !== undefined && !gpu.software ? 'webgpu' : 'cpu'
  log.info({ device, gpu: gpu?.name }, 'the vision tower runs here')
  return device
}
