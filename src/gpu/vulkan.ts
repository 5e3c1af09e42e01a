// Asks the system's Vulkan loader whether there is a driver, before the WebGPU library is touched: that one would start, print warnings and then
// compute nothing. One instance is made and destroyed through the C interface (vulkan_core.h 1.0).
import type { Pointer } from 'bun:ffi'

export type VulkanState = { ready: true } | { ready: false; reason: string }

const incompatibleDriver = -9

/** Takes a few milliseconds; the answer is not kept. */
export async function vulkanState(): Promise<VulkanState> {
  const { ptr } = await import('bun:ffi')
  const loader = await openLoader().catch(() => undefined)
  if (loader === undefined) return { ready: false, reason: 'no Vulkan loader: install libvulkan1 (Debian, Ubuntu) or vulkan-loader' }
  try {
    // VkInstanceCreateInfo: 64 bytes, of which only the type (1) is set; no application info, layers or extensions.
    const info = new BigUint64Array(8)
    info[0] = 1n
    const instance = new BigUint64Array(1)
    const result = loader.symbols.vkCreateInstance(ptr(info), null, ptr(instance))
    if (result === 0) {
      loader.symbols.vkDestroyInstance(Number(instance[0]) as Pointer, null)
      return { ready: true }
    }
    const what = result === incompatibleDriver ? 'no Vulkan driver' : `Vulkan does not start (VkResult ${result})`
    return { ready: false, reason: `${what}: install the GPU's driver, or name its icd file in VK_DRIVER_FILES` }
  } finally {
    loader.close()
  }
}

async function openLoader() {
  const { dlopen } = await import('bun:ffi')
  return dlopen('libvulkan.so.1', {
    vkCreateInstance: { args: ['ptr', 'ptr', 'ptr'], returns: 'i32' },
    vkDestroyInstance: { args: ['ptr', 'ptr'], returns: 'void' },
  })
}
