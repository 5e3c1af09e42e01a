// A WebGPU device for tests: the machine's own GPU, else SwiftShader, the software Vulkan driver that chromium brings (needs libvulkan1 too).
import { existsSync } from 'node:fs'
import { type Gpu, openDevice } from '../../src/gpu/device.ts'
import { vulkanState } from '../../src/gpu/vulkan.ts'
import { need } from './need.ts'

const swiftShader = '/usr/lib/chromium/vk_swiftshader_icd.json'
let driver = process.env.VK_DRIVER_FILES

/** Undefined, and named, when there is none. */
export async function testDevice(): Promise<Gpu | undefined> {
  if (!(await vulkanState()).ready && existsSync(swiftShader)) {
    driver = swiftShader
    await setForNative('VK_DRIVER_FILES', swiftShader)
  }
  const ready = (await vulkanState()).ready
  const gpu = ready ? await openDevice() : undefined
  return need('WebGPU', gpu !== undefined) ? gpu : undefined
}

/** What a child process needs to find the device that `testDevice` found. */
export function driverEnv(): Record<string, string> {
  return driver === undefined ? {} : { VK_DRIVER_FILES: driver }
}

/** process.env of Bun does not reach getenv of native libraries. */
async function setForNative(name: string, value: string): Promise<void> {
  const { dlopen, ptr } = await import('bun:ffi')
  const libc = dlopen('libc.so.6', { setenv: { args: ['ptr', 'ptr', 'i32'], returns: 'i32' } })
  libc.symbols.setenv(ptr(Buffer.from(`${name}\0`)), ptr(Buffer.from(`${value}\0`)), 1)
}
