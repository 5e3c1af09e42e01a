// Runs a kernel where it is fastest: on the CPU, in slices so that nothing else waits long, or on WebGPU. What a call costs is measured per kernel and
// size; the first calls run on the CPU, and only what is slow there is tried on the device, on blank data, after the caller has its answer.
import { closeDevice, type DeviceState, deviceState, forgetFailures, type Gpu, openDevice } from '../src/gpu/device.ts'
import { fits, type Pass, run } from '../src/gpu/run.ts'
import { log } from '../src/lib/log.ts'

/** `auto` measures; `webgpu` uses the device whenever there is one, also a software one; `cpu` never opens it. */
export type KernelMode = 'auto' | 'webgpu' | 'cpu'

/** One call of a kernel, both ways. */
export interface Call<T> {
  kernel: string
  /** In and out; calls whose bytes have the same power of two share a measurement. */
  bytes: number
  /** Work in `units` that may run apart, in order; `step` does [from, to). */
  cpu: { units: number; step(from: number, to: number): void; result(): T }
  gpu: { passes(): readonly Pass[]; result(bytes: Uint8Array): T }
}

/** What is known of a kernel at a size. */
export interface KernelCost {
  kernel: string
  /** Calls of more than half of this many bytes, up to it. */
  upToBytes: number
  /** Medians of the last calls, milliseconds, copies included; absent: not tried. */
  cpuMs?: number
  gpuMs?: number
  /** Where the next call runs. */
  chosen: 'cpu' | 'webgpu'
  calls: { cpu: number; webgpu: number }
}

export interface KernelReport {
  mode: KernelMode
  device: DeviceState
  costs: KernelCost[]
}

interface Measured {
  kernel: string
  upToBytes: number
  cpu: number[]
  gpu: number[]
  calls: { cpu: number; webgpu: number }
  tried: boolean
}

/** Below this the copies to the device and back take longer than the work, and opening a device holds up the process for some hundred milliseconds. */
const worthTryingMs = 4
const callsBeforeTrying = 3
const sliceMs = 8
const failuresAllowed = 3

let mode: KernelMode = 'auto'
let failures = 0
let trying: Promise<void> = Promise.resolve()
const measured = new Map<string, Measured>()

/** From the settings, once at start; forgets what was measured and that the device failed. */
export function configureKernels(options: { mode: KernelMode }): void {
  mode = options.mode
  failures = 0
  forgetFailures()
  measured.clear()
}

/** For doctor and metrics. `open`: looks for the device first (under a second), unless the mode is `cpu`. */
export async function kernelReport(open = false): Promise<KernelReport> {
  if (open && mode !== 'cpu') await openDevice()
  const costs = [...measured.values()].map((one): KernelCost => {
    const [cpuMs, gpuMs] = [median(one.cpu), median(one.gpu)]
    return {
      kernel: one.kernel,
      upToBytes: one.upToBytes,
      ...(cpuMs === undefined ? {} : { cpuMs }),
      ...(gpuMs === undefined ? {} : { gpuMs }),
      chosen: choose(one),
      calls: { ...one.calls },
    }
  })
  return { mode, device: deviceState(), costs }
}

/** Resolves to the call's result. What fails on the device is done again on the CPU; only the CPU's errors reject. */
export async function perform<T>(call: Call<T>): Promise<T> {
  const known = costOf(call)
  if (choose(known) === 'webgpu') {
    const done = await onDevice(call, known)
    if (done !== undefined) return done.result
  }
  remember(known.cpu, await onCpu(call))
  known.calls.cpu++
  if (mode === 'auto' && !known.tried && known.cpu.length >= callsBeforeTrying && median(known.cpu)! > worthTryingMs) {
    known.tried = true
    const passes = call.gpu.passes()
    const blank = passes.map((pass) => ({
      ...pass,
      inputs: pass.inputs.map((input) => (typeof input === 'number' ? input : new Uint8Array(input.byteLength))),
    }))
    trying = trying.then(() => tryDevice(blank, known))
  }
  return call.cpu.result()
}

/** When no trial of the device is under way any more. */
export function trialsOver(): Promise<void> {
  return trying
}

function costOf({ kernel, bytes }: { kernel: string; bytes: number }): Measured {
  const upToBytes = 2 ** Math.ceil(Math.log2(bytes))
  const key = `${kernel} ${upToBytes}`
  let known = measured.get(key)
  if (known === undefined) {
    known = { kernel, upToBytes, cpu: [], gpu: [], calls: { cpu: 0, webgpu: 0 }, tried: false }
    measured.set(key, known)
  }
  return known
}

function choose(known: Measured): 'cpu' | 'webgpu' {
  if (mode !== 'auto') return mode
  const [cpu, gpu] = [median(known.cpu), median(known.gpu)]
  return cpu !== undefined && gpu !== undefined && gpu < cpu ? 'webgpu' : 'cpu'
}

/** Undefined when there is no device, the call does not fit on it, or it fails. */
async function onDevice<T>(call: Call<T>, known: Measured): Promise<{ result: T } | undefined> {
  const gpu = await openDevice()
  if (gpu === undefined) return undefined
  const passes = call.gpu.passes()
  if (!fits(passes)) return undefined
  const started = performance.now()
  const bytes = await runWatched(gpu, passes, known.kernel)
  if (bytes === undefined) return undefined
  remember(known.gpu, performance.now() - started)
  known.calls.webgpu++
  return { result: call.gpu.result(bytes) }
}

/** Twice: the first run makes the pipeline and the buffers. */
async function tryDevice(passes: readonly Pass[], known: Measured): Promise<void> {
  const gpu = await openDevice()
  // There may be one later: openDevice itself says how soon it is worth asking again.
  if (gpu === undefined) known.tried = false
  if (gpu === undefined || gpu.software || !fits(passes)) return
  for (const counts of [false, true]) {
    const started = performance.now()
    if ((await runWatched(gpu, passes, known.kernel)) === undefined) return
    if (counts) remember(known.gpu, performance.now() - started)
  }
}

async function runWatched(gpu: Gpu, passes: readonly Pass[], kernel: string): Promise<Uint8Array | undefined> {
  try {
    const { bytes } = await run(gpu, passes)
    failures = 0
    return bytes
  } catch (thrown) {
    log.warn({ kernel, device: gpu.name, err: thrown }, 'a kernel failed on WebGPU; it runs on the CPU')
    if (++failures >= failuresAllowed) {
      closeDevice(gpu, `${failures} kernels failed, last: ${(thrown as Error).message}`)
      failures = 0
    }
    return undefined
  }
}

/** Milliseconds of work, pauses left out. */
async function onCpu<T>({ cpu }: Call<T>): Promise<number> {
  let worked = 0
  let sincePause = 0
  let size = Math.max(1, cpu.units >> 4)
  for (let from = 0; from < cpu.units; ) {
    if (sincePause > sliceMs) {
      await new Promise((resolve) => setImmediate(resolve))
      sincePause = 0
    }
    const to = Math.min(from + size, cpu.units)
    const started = performance.now()
    cpu.step(from, to)
    const ms = performance.now() - started
    worked += ms
    sincePause += ms
    if (ms < sliceMs / 4) size *= 2
    else if (ms > sliceMs) size = Math.max(1, size >> 1)
    from = to
  }
  return worked
}

/** Keeps the last nine. */
function remember(list: number[], ms: number): void {
  list.push(ms)
  if (list.length > 9) list.shift()
}

function median(list: readonly number[]): number | undefined {
  return [...list].sort((a, b) => a - b)[list.length >> 1]
}
