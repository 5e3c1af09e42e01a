// ONNX Runtime with one tower loaded. `run` blocks its thread for as long as the tower computes: only the encoder's own process (process.ts) and tests
// call it.
import type { InferenceSession, Tensor } from 'onnxruntime-node'
import { AppError } from '../../../lib/errors.ts'
import { type Frames, hostInputs } from './host-inputs.ts'
import { readTowerFacts, type TowerFacts } from './tower-file.ts'

export type VisionDevice = 'cpu' | 'webgpu'

export interface RuntimeOptions {
  /** The file that export-vision wrote. */
  tower: string
  device: VisionDevice
  /** Cores for one picture; 0: all. No bit of the output depends on it (encoder.test.ts). */
  threads: number
  /** False: full attention in plain steps, whose memory grows with the square of the patches. */
  fused?: boolean
}

export interface Tower {
  readonly facts: TowerFacts
  readonly device: VisionDevice
  readonly fused: boolean
  /** ONNX Runtime's version. */
  readonly runtime: string
  /**
   * `pixels`: [patches, channels × temporal × patch × patch] of `size`, in the order of the picture processors. Resolves with [rows, facts.width], float32.
   * Rejects with `engine_failed` when the runtime does, `invalid_image` where plain attention would take too much memory.
   */
  run(pixels: Float32Array, size: Frames): Promise<Float32Array>
  close(): Promise<void>
}

/** Of a group, in plain steps: its scores are 1 GiB with 16 heads. */
const plainPatches = 4096

/** Of frames that run together. */
const slicePatches = 8192

/** Rejects with a start-up AppError: no such file, none of ours, or no such device. */
export async function openTower({ tower, device, threads, fused = true }: RuntimeOptions): Promise<Tower> {
  const facts = await readTowerFacts(tower, '--vision-tower')
  const ort = await import('onnxruntime-node')
  ort.env.logLevel = 'error'
  let session: InferenceSession
  try {
    session = await ort.InferenceSession.create(tower, {
      executionProviders: [device],
      intraOpNumThreads: threads,
      graphOptimizationLevel: 'all',
      logSeverityLevel: 3,
      // Pictures differ in size: arenas and patterns would keep the memory of the largest one for ever.
      enableCpuMemArena: false,
      enableMemPattern: false,
    })
  } catch (cause) {
    throw cannotLoad(tower, device, cause)
  }
  const tensor = (values: Float32Array | BigInt64Array, shape: readonly number[]): Tensor =>
    values instanceof Float32Array ? new ort.Tensor('float32', values, shape) : new ort.Tensor('int64', values, shape)
  const run: Tower['run'] = async (pixels, size) => {
    const patches = size.frames * size.height * size.width
    const inGroup = patches / (size.groups ?? size.frames)
    if (!fused && inGroup > plainPatches) throw tooLarge(inGroup)
    const feeds: Record<string, Tensor> = {
      pixel_values: tensor(pixels, [patches, pixels.length / patches]),
      fused: new ort.Tensor('bool', [fused], [1]),
    }
    for (const [name, { values, shape }] of Object.entries(hostInputs(facts, size))) feeds[name] = tensor(values, shape)
    let rows: Tensor
    try {
      rows = (await session.run(feeds)).embeddings as Tensor
    } catch (cause) {
      throw new AppError('engine_failed', { message: `The vision tower failed on a picture of ${patches} patches.`, cause })
    }
    return rows.data as Float32Array
  }
  return {
    facts,
    device,
    fused,
    runtime: ort.env.versions.node ?? ort.env.versions.common,
    run: (pixels, size) => inSlices(run, pixels, size),
    close: () => session.release(),
  }
}

/** Frames that do not see each other run some at a time: a long clip takes no more memory than a large picture, but for its pixels and rows. */
async function inSlices(run: Tower['run'], pixels: Float32Array, size: Frames): Promise<Float32Array> {
  const inFrame = size.height * size.width
  const atOnce = Math.max(1, Math.floor(slicePatches / inFrame))
  if (size.groups !== undefined || size.frames <= atOnce) return run(pixels, size)
  const values = pixels.length / size.frames
  const parts: Float32Array[] = []
  for (let at = 0; at < size.frames; at += atOnce) {
    const frames = Math.min(atOnce, size.frames - at)
    parts.push(await run(pixels.subarray(at * values, (at + frames) * values), { ...size, frames }))
  }
  return joined(parts)
}

/** One after another in memory of their own; a single one as it is. */
export function joined(parts: readonly Float32Array[]): Float32Array {
  if (parts.length === 1) return parts[0]!
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

function cannotLoad(tower: string, device: VisionDevice, cause: unknown): AppError {
  // Its checks begin with the C++ place and the condition.
  const why = (cause instanceof Error ? cause.message : String(cause)).split('\n')[0]!.replace(/^.* was false\. /, '')
  if (device === 'webgpu') {
    return new AppError('invalid_setting', {
      param: '--vision-device',
      message: `The vision tower cannot run on WebGPU here: ${why}`,
      cause,
    })
  }
  return new AppError('model_files_invalid', { param: '--vision-tower', message: `ONNX Runtime cannot load ${tower}: ${why}`, cause })
}

function tooLarge(patches: number): AppError {
  return new AppError('invalid_image', {
    message: `The image is ${patches} patches as the model sees it; images of at most ${plainPatches} patches are taken here. Send a smaller one.`,
  })
}
