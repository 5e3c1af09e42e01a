// One WebGPU device for the process: Dawn through bun-webgpu. Opened on first use, given up when it is lost, opened again a minute later at the earliest.
/// <reference types="@webgpu/types" />
import { log } from '../lib/log.ts'
import { type BufferPool, bufferPool } from './buffers.ts'
import { vulkanState } from './vulkan.ts'

/** bun-webgpu 0.1.7 cannot ask for more than WebGPU's own defaults: any `requiredLimits` throws. */
export const limits = { bufferBytes: 256 << 20, bindingBytes: 128 << 20, workgroups: 65_535 } as const

export interface Gpu {
  readonly device: GPUDevice
  /** For people: `nvidia nvidia-h200`. */
  readonly name: string
  /** Software on the CPU (SwiftShader, llvmpipe): right, but never fast. */
  readonly software: boolean
  readonly timestamps: boolean
  readonly pipelines: Map<string, GPUComputePipeline>
  readonly buffers: BufferPool
  /** Errors that came outside of any run's scopes. Nobody knows whose they are: whatever was under way then has no result. */
  strays(): { count: number; last: string }
  /** Calls back once when the device is lost or given up; the returned function unsubscribes. */
  onLost(tell: (reason: string) => void): () => void
}

export type DeviceState =
  | { kind: 'unopened' }
  | { kind: 'ready'; name: string; software: boolean }
  | { kind: 'none' | 'lost'; reason: string }

const retryMs = 60_000

let opening: Promise<Gpu | undefined> | undefined
let current: Gpu | undefined
/** Dawn itself: one for the process while it works. */
let dawn: ReturnType<typeof import('bun-webgpu').createGPUInstance> | undefined
let state: DeviceState = { kind: 'unopened' }
let nextTryAt = 0

export function deviceState(): DeviceState {
  return state
}

/** The device, or undefined with the reason in `deviceState`. Never rejects. */
export function openDevice(): Promise<Gpu | undefined> {
  if (opening === undefined && performance.now() >= nextTryAt) opening = open()
  return opening ?? Promise.resolve(undefined)
}

/** The next `openDevice` may try at once, whatever happened before. */
export function forgetFailures(): void {
  nextTryAt = 0
}

/** Gives the device up for a while, because it is lost or fails again and again. Nothing happens when it was given up before. */
export function closeDevice(gpu: Gpu, reason: string): void {
  if (gpu !== current) return
  current = undefined
  log.warn({ device: gpu.name, reason }, 'the WebGPU device is given up; kernels run on the CPU')
  state = { kind: 'lost', reason }
  waitBeforeNextTry()
  gpu.buffers.drop()
  gpu.device.destroy()
}

function waitBeforeNextTry(): void {
  opening = undefined
  nextTryAt = performance.now() + retryMs
}

async function open(): Promise<Gpu | undefined> {
  let adapter: GPUAdapter | undefined
  try {
    const vulkan = await vulkanState()
    if (!vulkan.ready) throw new Error(vulkan.reason)
    const { createGPUInstance, globals } = await import('bun-webgpu')
    // When a device is lost it looks up its own AbortError as a global.
    globals()
    dawn ??= createGPUInstance()
    adapter = (await dawn.requestAdapter({ powerPreference: 'high-performance' })) ?? undefined
    if (adapter === undefined) throw new Error('the Vulkan driver offers no adapter')
    const name = [adapter.info.vendor, adapter.info.device].filter(Boolean).join(' ')
    // Dawn's stand-in accepts everything and computes nothing.
    if (`${name} ${adapter.info.description}`.includes('null-backend')) throw new Error('Dawn found no driver, only its null backend')
    const timestamps = adapter.features.has('timestamp-query')
    const device = await adapter.requestDevice({
      requiredFeatures: timestamps ? ['timestamp-query'] : [],
    } as unknown as GPUDeviceDescriptor)
    current = wrap(device, name, timestamps)
    state = { kind: 'ready', name, software: current.software }
    return current
  } catch (thrown) {
    state = { kind: 'none', reason: (thrown as Error).message }
    waitBeforeNextTry()
    await releaseDawn()
    return undefined
  } finally {
    // A device holds what it needs of its adapter. (bun-webgpu's own name for wgpuAdapterRelease.)
    ;(adapter as { destroy?(): void } | undefined)?.destroy?.()
  }
}

/** So that the next try looks for drivers again, and tries that fail leave nothing. */
async function releaseDawn(): Promise<void> {
  const unused = dawn
  dawn = undefined
  // We may be inside one of its callbacks: it must not end under them.
  await new Promise((resolve) => setImmediate(resolve))
  unused?.destroy()
}

function wrap(device: GPUDevice, name: string, timestamps: boolean): Gpu {
  let strays = { count: 0, last: '' }
  const waiting = new Set<(reason: string) => void>()
  device.onuncapturederror = (event) => {
    strays = { count: strays.count + 1, last: event.error.message }
  }
  const gpu: Gpu = {
    device,
    name,
    software: /swiftshader|llvmpipe|lavapipe/i.test(name),
    timestamps,
    pipelines: new Map(),
    buffers: bufferPool(device),
    strays: () => strays,
    onLost(tell) {
      waiting.add(tell)
      return () => waiting.delete(tell)
    },
  }
  void device.lost.then(({ message }) => {
    const reason = message || 'device lost'
    closeDevice(gpu, reason)
    for (const tell of waiting) tell(reason)
  })
  return gpu
}
