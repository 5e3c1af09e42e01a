// The vision fixtures with their weights, and their towers as our own encoder wants them.
import { join } from 'node:path'
import { visionModels } from '../../models/make.ts'
import { exportVision } from '../../src/engine/vision/export/export.ts'
import { type OnnxEncoderOptions, usualLimits } from '../../src/engine/vision/onnx/encoder.ts'
import { readTowerFacts } from '../../src/engine/vision/onnx/tower-file.ts'
import { need } from './need.ts'
import { pythonWith } from './python.ts'

const root = join(import.meta.dir, '../..')

export type VisionFixture = keyof typeof visionModels

/** Its folder, weights written. */
export async function visionFixture(name: VisionFixture): Promise<string> {
  const { writeWeights } = await import('../../models/diffusion/pipeline.ts')
  return writeWeights(visionModels[name])
}

/** A Python with what export-vision needs, or undefined, and named, when there is none. */
export function exporterPython(): string | undefined {
  const python = pythonWith('onnx')
  return need('a Python with onnx (bun run sglang:setup)', python !== undefined) ? python : undefined
}

/** Variables as programs get them. */
export function wholeEnv(): Record<string, string> {
  return Object.fromEntries(Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined))
}

/** Words that start the process of a tower from source. */
export const visionProcess = [process.execPath, join(root, 'src/main.ts'), 'vision-process']

/** The fixture's tower, exported once: vision.onnx in its folder. Undefined, and named, without a Python for it. */
export async function tinyTower(name: VisionFixture): Promise<{ modelPath: string; tower: string } | undefined> {
  const modelPath = await visionFixture(name)
  const tower = join(modelPath, 'vision.onnx')
  const current = await readTowerFacts(tower, 'fixture').catch(() => undefined)
  if (current === undefined) {
    const python = exporterPython()
    if (python === undefined) return undefined
    await exportVision({ modelPath, python, env: wholeEnv() })
  }
  return { modelPath, tower }
}

/** Our encoder over a fixture, on one core. */
export function tinyEncoderOptions(made: { modelPath: string; tower: string }, more: Partial<OnnxEncoderOptions> = {}): OnnxEncoderOptions {
  const usual = { device: 'cpu', threads: 1, type: 'bfloat16', backend: 'tv_u8', clips: 'sglang', ...usualLimits } as const
  return { ...usual, ...made, command: visionProcess, env: wholeEnv(), ...more }
}
