// Runs compute passes: uploads what they read, keeps what goes from one to the next on the device, brings back the last one's output.
import { type Gpu, limits } from './device.ts'
import { inScopes } from './error-scopes.ts'

/** One dispatch of a WGSL module. Binding 0: `sizes` (uniform), then the inputs in order (read-only storage), last the output (storage). */
export interface Pass {
  /** Same key, same code, entry point and constants: the pipeline is made once. */
  key: string
  code: string
  /** `main` when absent. */
  entry?: string
  /** Values of `override` constants. */
  constants?: Readonly<Record<string, number>>
  /** At most 16 words; passed as array<vec4u, 4>. */
  sizes: readonly number[]
  /** Bytes of the host, or the number of an earlier pass whose output is read. */
  inputs: readonly (ArrayBufferView | number)[]
  outputBytes: number
  /** Invocations wanted; they come as workgroups of 64 in x and y: shaders find theirs as `id.y * 64 * 65535 + id.x`. */
  invocations: number
}

export interface RunResult {
  /** `outputBytes` of the last pass. */
  bytes: Uint8Array
  /** Milliseconds on the device, all passes; only when asked for and the device has timestamps. */
  deviceMs?: number
  /** Milliseconds from the call to the last submit (uploads mostly), and from there to the bytes (kernel and read-back). */
  uploadMs: number
  backMs: number
}

const workgroup = 64
const usage = { mapRead: 1, copySource: 4, copyTarget: 8, uniform: 64, storage: 128, queryResolve: 512 } as const

/** Whether every buffer of these passes is within the device's limits. */
export function fits(passes: readonly Pass[]): boolean {
  return passes.every(
    ({ inputs, outputBytes, invocations }) =>
      // Buffers come in powers of two.
      outputBytes <= limits.bindingBytes &&
      inputs.every((input) => typeof input === 'number' || input.byteLength <= limits.bindingBytes) &&
      invocations <= workgroup * limits.workgroups * limits.workgroups,
  )
}

/** Rejects with an Error when the device refuses or fails; nothing of it is kept then. Runs may overlap: each has its own errors. */
export async function run(gpu: Gpu, passes: readonly Pass[], timed = false): Promise<RunResult> {
  const started = performance.now()
  const taken: GPUBuffer[] = []
  const take = (bytes: number, flags: number): GPUBuffer => {
    const buffer = gpu.buffers.take(bytes, flags)
    taken.push(buffer)
    return buffer
  }
  let clock: GPUQuerySet | undefined
  const strays = gpu.strays().count
  try {
    const { done, refusal } = inScopes(gpu.device, () => {
      if (timed && gpu.timestamps) clock = gpu.device.createQuerySet({ type: 'timestamp', count: 2 })
      return submit(gpu, passes, take, clock)
    })
    const submitted = performance.now()
    // Both are waited for: a refused run has a buffer without meaning, and perhaps one that cannot be read at all.
    const [refused, ...read] = await Promise.allSettled([untilLost(gpu, refusal), ...done.map((mapped) => untilLost(gpu, mapped))])
    const backMs = performance.now() - submitted
    const stray = gpu.strays().count > strays ? gpu.strays().last : undefined
    const error = (refused.status === 'fulfilled' ? refused.value : refused.reason.message) ?? stray
    if (error !== undefined) throw new Error(error)
    const [bytes, times] = read.map((one) => {
      if (one.status === 'rejected') throw one.reason
      return one.value()
    })
    for (const buffer of taken) gpu.buffers.give(buffer)
    const [from, to] = times === undefined ? [] : new BigUint64Array(times.buffer)
    return { bytes: bytes!, uploadMs: submitted - started, backMs, ...(from !== undefined && { deviceMs: Number(to! - from) / 1e6 }) }
  } catch (thrown) {
    gpu.pipelines.clear()
    for (const buffer of taken) buffer.destroy()
    throw thrown
  } finally {
    clock?.destroy()
  }
}

/** Asks the device for everything at once, without waiting. Resolve when what they give can be read: the last output, then the two times of `clock`. */
function submit(gpu: Gpu, passes: readonly Pass[], take: Take, clock: GPUQuerySet | undefined): Promise<() => Uint8Array>[] {
  const encoder = gpu.device.createCommandEncoder()
  const outputs: GPUBuffer[] = []
  for (const [i, pass] of passes.entries()) {
    const output = take(pass.outputBytes, usage.storage | usage.copySource)
    const buffers = [uniform(gpu, pass.sizes, take), ...pass.inputs.map((input) => source(gpu, input, outputs, take)), output]
    outputs.push(output)
    dispatch(gpu, encoder, pass, buffers, passTimes(clock, i, passes.length))
  }
  const { outputBytes } = passes.at(-1)!
  const read = Math.ceil(outputBytes / 4) * 4
  const back = take(read, usage.mapRead | usage.copyTarget)
  encoder.copyBufferToBuffer(outputs.at(-1)!, 0, back, 0, read)
  const maps = [() => map(back, read, outputBytes)]
  if (clock !== undefined) {
    const resolved = take(16, usage.queryResolve | usage.copySource)
    const times = take(16, usage.mapRead | usage.copyTarget)
    encoder.resolveQuerySet(clock, 0, 2, resolved, 0)
    encoder.copyBufferToBuffer(resolved, 0, times, 0, 16)
    maps.push(() => map(times, 16, 16))
  }
  gpu.device.queue.submit([encoder.finish()])
  return maps.map((start) => start())
}

function passTimes(clock: GPUQuerySet | undefined, i: number, count: number): GPUComputePassTimestampWrites | undefined {
  if (clock === undefined || (i > 0 && i < count - 1)) return undefined
  return {
    querySet: clock,
    ...(i === 0 ? { beginningOfPassWriteIndex: 0 } : {}),
    ...(i === count - 1 ? { endOfPassWriteIndex: 1 } : {}),
  }
}

type Take = (bytes: number, flags: number) => GPUBuffer

function uniform(gpu: Gpu, sizes: readonly number[], take: Take): GPUBuffer {
  const words = new Uint32Array(16)
  words.set(sizes)
  const buffer = take(64, usage.uniform | usage.copyTarget)
  gpu.device.queue.writeBuffer(buffer, 0, words)
  return buffer
}

function source(gpu: Gpu, input: ArrayBufferView | number, outputs: readonly GPUBuffer[], take: Take): GPUBuffer {
  if (typeof input === 'number') return outputs[input]!
  const buffer = take(input.byteLength, usage.storage | usage.copyTarget)
  const bytes = new Uint8Array(input.buffer as ArrayBuffer, input.byteOffset, input.byteLength)
  // Writes must be whole words.
  const whole = bytes.length & ~3
  if (whole > 0) gpu.device.queue.writeBuffer(buffer, 0, bytes, 0, whole)
  if (whole < bytes.length) {
    const rest = new Uint8Array(4)
    rest.set(bytes.subarray(whole))
    gpu.device.queue.writeBuffer(buffer, whole, rest)
  }
  return buffer
}

function dispatch(
  gpu: Gpu,
  encoder: GPUCommandEncoder,
  pass: Pass,
  buffers: readonly GPUBuffer[],
  times: GPUComputePassTimestampWrites | undefined,
): void {
  const pipeline = pipelineOf(gpu, pass)
  const bound = gpu.device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
  })
  const compute = encoder.beginComputePass(times === undefined ? {} : { timestampWrites: times })
  compute.setPipeline(pipeline)
  compute.setBindGroup(0, bound)
  const groups = Math.ceil(pass.invocations / workgroup)
  compute.dispatchWorkgroups(Math.min(groups, limits.workgroups), Math.ceil(groups / limits.workgroups))
  compute.end()
}

function pipelineOf(gpu: Gpu, { key, code, entry = 'main', constants = {} }: Pass): GPUComputePipeline {
  const known = gpu.pipelines.get(key)
  if (known !== undefined) return known
  const module = gpu.device.createShaderModule({ code })
  const made = gpu.device.createComputePipeline({ layout: 'auto', compute: { module, entryPoint: entry, constants } })
  gpu.pipelines.set(key, made)
  return made
}

/** Resolves when the buffer can be read, to what copies its first `bytes` out of it. */
async function map(buffer: GPUBuffer, mapped: number, bytes: number): Promise<() => Uint8Array> {
  await buffer.mapAsync(1, 0, mapped)
  return () => {
    const copy = new Uint8Array(bytes)
    copy.set(new Uint8Array(buffer.getMappedRange(0, mapped), 0, bytes))
    buffer.unmap()
    return copy
  }
}

/** A device that is lost while something waits for it need not answer. */
function untilLost<T>(gpu: Gpu, answer: Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const forget = gpu.onLost((reason) => reject(new Error(reason)))
    answer.then(resolve, reject).finally(forget)
  })
}
