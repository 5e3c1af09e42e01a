// Public: the hearing model of a folder. A new family is a file in families/ and a name here.
import { readModelFolder } from '../../tokenizer/model-files.ts'
import { processorsOf, tokensOf } from '../vision/open.ts'
import { qwen2AudioFamily } from './families/qwen2-audio.ts'
import type { HearingFamily, HearingModel } from './hearing.ts'

export const hearingFamilies: readonly HearingFamily[] = [qwen2AudioFamily]

/** undefined: the model in `folder` takes no sounds here. Throws `model_files_invalid` when its files do not say what is needed, `model_path_not_found`. */
export async function hearingModelOf(folder: string): Promise<HearingModel | undefined> {
  const { config } = await readModelFolder(folder)
  const family = hearingFamilies.find(({ modelTypes }) => modelTypes.includes(String(config.model_type)))
  if (family === undefined) return undefined
  const { processor } = await processorsOf(folder)
  return family.ear({ config, processor, tokenId: await tokensOf(folder) })
}
