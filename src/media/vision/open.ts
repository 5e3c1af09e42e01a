// Public: the vision model of a folder, out of its config.json and preprocessor_config.json.
import { join } from 'node:path'
import { AppError } from '../../lib/errors.ts'
import { readJsonIfThere } from '../../tokenizer/json-file.ts'
import { readModelFolder } from '../../tokenizer/model-files.ts'
import { clipModel } from './clip-model.ts'
import { families, familyOf } from './families.ts'
import type { Family, Json, ModelFiles } from './family.ts'
import { object } from './fields.ts'
import { preprocess, preprocessBytes } from './preprocess.ts'
import type { VisionModel } from './vision.ts'

/**
 * The model in `folder`. Undefined when its config.json has no `vision_config`: it reads text only. Throws `model_files_invalid` when it sees, but its family is
 * not known here (with the list of those that are), or when its files do not say what is needed; `model_path_not_found` when there is no such folder.
 */
export async function visionModelOf(folder: string): Promise<VisionModel | undefined> {
  const { config } = await readModelFolder(folder)
  const type = String(config.model_type ?? '')
  const family = familyOf(type)
  if (family === undefined) {
    if (config.vision_config === undefined) return undefined
    throw new AppError('model_files_invalid', {
      param: '--model-path',
      message: `${join(folder, 'config.json')} has model_type '${type}', whose pictures cannot be prepared here; known: ${knownTypes()}`,
    })
  }
  return visionModel(family, { config, ...(await processorsOf(folder)), tokenId: await tokensOf(folder) })
}

export function knownTypes(): string {
  return families.flatMap((family) => family.modelTypes).join(', ')
}

/** A model out of the contents of its files. */
export function visionModel(family: Family, files: ModelFiles): VisionModel {
  const eye = family.eye(files)
  const { imageTokenId, videoTokenId, placeholderId, startTokenId, written, settings, numbers, mostPatches, recipe, expand, clips } = eye
  return {
    family: family.name,
    imageTokenId,
    ...(videoTokenId === undefined ? {} : { videoTokenId }),
    ...(placeholderId === undefined ? {} : { placeholderId }),
    ...(startTokenId === undefined ? {} : { startTokenId }),
    ...(written === undefined ? {} : { written }),
    ...(mostPatches === undefined ? {} : { mostPatches }),
    settings: JSON.stringify({ family: family.name, ...settings }),
    plan: (width, height, param) => recipe({ width, height }, param).plan,
    expand,
    preprocess: (rgb, width, height, backend) => preprocess(rgb, { width, height }, recipe({ width, height }, 'image'), numbers, backend),
    ...(numbers.interpolated
      ? {}
      : {
          preprocessBytes: (rgb, width, height, backend) =>
            preprocessBytes(rgb, { width, height }, recipe({ width, height }, 'image'), numbers, backend),
        }),
    ...(clips === undefined ? {} : { clips: clipModel(clips, numbers) }),
  }
}

/** Of pictures and sounds alike. */
export async function processorsOf(folder: string): Promise<Pick<ModelFiles, 'processor' | 'video'>> {
  const read = async (name: string) => (await readJsonIfThere<Json>(join(folder, name))) ?? {}
  const [own, whole, video] = await Promise.all(
    ['preprocessor_config.json', 'processor_config.json', 'video_preprocessor_config.json'].map(read),
  )
  return {
    processor: { ...whole, ...object(whole!.image_processor), ...own },
    video: { ...object(whole!.video_processor), ...video },
  }
}

/** Special tokens only: they are in a small file, and no other one stands for a part of a picture. */
export async function tokensOf(folder: string): Promise<ModelFiles['tokenId']> {
  const ids = new Map<string, number>()
  const settings = await readJsonIfThere<Json>(join(folder, 'tokenizer_config.json'))
  for (const [id, token] of Object.entries(object(settings?.added_tokens_decoder))) ids.set(String(object(token).content), Number(id))
  if (ids.size === 0) {
    const tokenizer = await readJsonIfThere<Json>(join(folder, 'tokenizer.json'))
    for (const token of (tokenizer?.added_tokens ?? []) as { content: string; id: number }[]) ids.set(token.content, token.id)
  }
  return (text) => ids.get(text)
}
