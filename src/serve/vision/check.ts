// What is wrong with the files of a model that is to see, told before a port is open or an engine starts. Files that are not on this machine yet are checked by the start.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { readModelFolder } from '../../tokenizer/model-files.ts'
import type { ModelOptions, VisionOptions } from '../options.ts'
import { hearingOf, visionOf } from '../sight.ts'
import { encoderKind } from './make-encoder.ts'
import { seeingModel } from './model.ts'

interface Seeing {
  model: Pick<ModelOptions, 'path' | 'mustSee'>
  vision?: VisionOptions
}

/** Rejects with `invalid_setting`, `model_files_invalid` or, for a tower that is not there, `model_path_not_found`. */
export async function checkSeeing({ model, vision }: Seeing): Promise<void> {
  const { path } = model
  const mustSee = model.mustSee ?? vision?.flag
  if (mustSee === undefined || path === undefined || !existsSync(join(path, 'config.json'))) return
  const { config } = await readModelFolder(path)
  // One that hears need not see, unless it is to have encoders of pictures.
  const hears = vision === undefined && (await hearingOf(path, config)) !== undefined
  const sight = await visionOf(path, config, { mustSee: hears ? undefined : mustSee })
  if (vision === undefined) return
  seeingModel({ names: [path], path, folder: path, config, sight }, vision.flag)
  if (vision.count > 0 && encoderKind(vision.encoder, path) === 'onnx') await checkTower(vision, path)
}

async function checkTower({ encoder }: VisionOptions, path: string): Promise<void> {
  const { readTowerFacts } = await import('../../engine/vision/onnx/tower-file.ts')
  const { checkSameModel } = await import('../../engine/vision/onnx/same-model.ts')
  await checkSameModel(await readTowerFacts(encoder.tower ?? join(path, 'vision.onnx'), '--vision-tower', path), path)
}
