// The encoders of a language engine's pictures, out of the model's files that were read for it.
import type { ModelFiles } from '../load-model.ts'
import type { ModelOptions, VisionOptions } from '../options.ts'
import { type Encoders, openEncoders } from './encoders.ts'
import { seeingModel } from './model.ts'

/** `encoderId` names each own one. Throws `invalid_setting` where the model's pictures cannot be encoded apart. */
export function encodersFor(
  options: VisionOptions,
  { path, servedNames }: Pick<ModelOptions, 'path' | 'servedNames'>,
  { folder, facts, vision }: ModelFiles,
  encoderId: (index: number) => string,
): Encoders {
  const names = servedNames.length > 0 ? servedNames : [path ?? folder]
  return openEncoders(
    options,
    seeingModel({ names, path: path ?? folder, folder, config: facts.config, sight: vision }, options.flag),
    encoderId,
  )
}
