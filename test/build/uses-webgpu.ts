// Built by build.test.ts into an executable.

import { configureKernels, kernelReport } from '../../kernels/perform.ts'
import { rgbToYuv420 } from '../../kernels/rgb-to-yuv420/kernel.ts'

configureKernels({ mode: 'webgpu' })
const planes = await rgbToYuv420(Uint8Array.of(255, 0, 0), 1, 1)
const { device, costs } = await kernelReport()
console.log(device.kind, planes.join(), JSON.stringify(costs[0]?.calls))
