// The pictures of test/fixtures/vision and what the models' own processors make of them.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { toModelPixels } from '../../../src/media/input/decode.ts'
import { familyOf } from '../../../src/media/vision/families.ts'
import { visionModel } from '../../../src/media/vision/open.ts'
import { type PresetName, presets } from '../../../src/media/vision/presets.ts'
import type { Backend, VisionModel } from '../../../src/media/vision/vision.ts'

/** What a processor made of a picture (make_vectors.py). */
export interface Made {
  shape: number[]
  sha256: string
  grid?: number[][]
  /** Base64 of float32 values at `placesOf`. */
  samples?: string
}

export interface Case {
  size: [width: number, height: number]
  rgb: string
  out: Record<PresetName, Partial<Record<Backend, Made>>>
}

const folder = join(import.meta.dir, '../../fixtures/vision')

export const cases = JSON.parse(readFileSync(join(folder, 'vectors.json'), 'utf8')) as Record<string, Case>

export const picturePath = (name: string): string => join(folder, 'images', name)

export function pixelsOf(name: string) {
  return toModelPixels(readFileSync(picturePath(name)), 50e6, name)
}

export function presetModel(name: PresetName): VisionModel {
  const preset = presets[name]
  return visionModel(familyOf(preset.config.model_type)!, { ...preset, video: {}, tokenId: () => undefined })
}

export function sha256(bytes: Uint8Array | Float32Array): string {
  return new Bun.CryptoHasher('sha256').update(bytes).digest('hex')
}

export function sampled(samples: string): Float32Array {
  return new Float32Array(Uint8Array.fromBase64(samples).buffer)
}

/** The places that make_vectors.py took samples at. */
export function placesOf(length: number, count: number): number[] {
  let at = 12_345
  return Array.from({ length: count }, () => {
    at = (Math.imul(at, 1_664_525) + 1_013_904_223) >>> 0
    return at % length
  })
}
