// Requests about pictures as the pipeline makes them for a Qwen fixture of models/, for engines that are compared.
import type { GenerateRequest } from '../../src/engine/types.ts'
import { visionModelOf } from '../../src/media/vision/open.ts'
import { pngOf, withPictures } from './pictures.ts'
import { requestOf } from './run-request.ts'

/** 24 greedy tokens each: about a picture, about another, about both, about a large one after a long text, and without any; `odd` has ids after its picture that no text gives. */
export async function pictureRequests(
  folder: string,
): Promise<Record<'one' | 'other' | 'both' | 'large' | 'alone' | 'odd', GenerateRequest>> {
  const model = (await visionModelOf(folder))!
  // <|vision_start|> and <|vision_end|> of the fixtures: SGLang's processor knows no other form.
  const picture = [1019, model.imageTokenId, 1020]
  const [a, b, big] = await Promise.all([pngOf(112, 84, 1), pngOf(200, 120, 2), pngOf(640, 480, 3)])
  const ask = async (ids: number[], files: Uint8Array[]) =>
    requestOf([], { max_new_tokens: 24, ignore_eos: true }, await withPictures(model, ids, files))
  return {
    one: await ask([70, 71, ...picture, 72, 73], [a]),
    other: await ask([70, 71, ...picture, 72, 73], [b]),
    both: await ask([70, ...picture, 72, ...picture, 74, 75], [a, b]),
    large: await ask([...Array.from({ length: 100 }, (_, k) => 60 + (k % 200)), ...picture, 72], [big]),
    alone: await ask([70, 71, 72], []),
    odd: await ask([70, 71, ...picture, 32, 32, 104, 101, 108, 108, 111, 87, 79, 82, 76, 68], [a]),
  }
}
