// What SGLang (0.5.23, multimodal_gen/configs/sample) does with open fields of a request, by pipeline; the mock has no engine to ask.
// SGLang takes these from its own tables, never from the model's folder: a tiny fixture has the defaults of the big model.
import { AppError } from '../../../lib/errors.ts'
import type { DiffusionInfo } from '../../diffusion/diffusion.ts'

export interface MockModel extends Pick<DiffusionInfo, 'makes' | 'defaults' | 'takesImages' | 'sizeMultiple' | 'frameMultiple'> {
  /** `_class_name` of model_index.json. */
  pipeline: string
  /** Where one pipeline has several sizes: words in the folder's name, lower case. The first row that fits counts. */
  named?: string
  /** Whose latents it plays. */
  family: 'flux' | 'wan21'
}

const image = (pipeline: string, steps: number, guidance: number, more: Partial<MockModel> = {}): MockModel => ({
  pipeline,
  makes: 'image',
  family: 'flux',
  takesImages: false,
  sizeMultiple: 16,
  frameMultiple: 1,
  defaults: { width: 1024, height: 1024, steps, guidance, frames: 1, fps: 24 },
  ...more,
})

const clip = (
  pipeline: string,
  [width, height, frames, fps]: [width: number, height: number, frames: number, fps: number],
  steps: number,
  guidance: number,
  more: Partial<MockModel> = {},
): MockModel => ({
  pipeline,
  makes: 'video',
  family: 'wan21',
  takesImages: false,
  sizeMultiple: 16,
  frameMultiple: 4,
  defaults: { width, height, steps, guidance, frames, fps },
  ...more,
})

const models: readonly MockModel[] = [
  image('FluxPipeline', 50, 3.5),
  image('FluxKontextPipeline', 50, 3.5, { takesImages: true }),
  image('Flux2Pipeline', 50, 4, { takesImages: true }),
  image('Flux2KleinPipeline', 4, 1, { takesImages: true }),
  image('QwenImagePipeline', 50, 4),
  image('QwenImageEditPipeline', 50, 4, { takesImages: true }),
  image('QwenImageEditPlusPipeline', 40, 4, { takesImages: true }),
  image('StableDiffusion3Pipeline', 50, 7),
  image('ZImagePipeline', 9, 0, { named: 'turbo' }),
  image('ZImagePipeline', 50, 5),
  image('SanaPipeline', 20, 4.5),
  clip('WanPipeline', [1280, 720, 81, 16], 40, 4, { named: 'wan2.2-t2v-a14b' }),
  clip('WanPipeline', [1280, 704, 121, 24], 50, 5, { named: 'ti2v-5b', takesImages: true }),
  clip('WanPipeline', [1280, 720, 81, 16], 50, 5, { named: '14b' }),
  clip('WanPipeline', [832, 480, 81, 16], 50, 3),
  clip('WanImageToVideoPipeline', [1280, 720, 81, 16], 50, 5, { named: '720p', takesImages: true }),
  clip('WanImageToVideoPipeline', [832, 480, 81, 16], 50, 5, { takesImages: true }),
  clip('HunyuanVideoPipeline', [1280, 720, 125, 24], 50, 1),
  clip('LTX2Pipeline', [768, 512, 121, 24], 40, 4, { frameMultiple: 8, sizeMultiple: 32 }),
]

/** The row of a pipeline. Throws AppError `model_files_invalid` with the known ones. */
export function mockModel(pipeline: string, folder: string): MockModel {
  const name = folder.toLowerCase().replace(/\/+$/, '').split('/').at(-1)!
  const model = models.find((row) => row.pipeline === pipeline && (row.named === undefined || name.includes(row.named)))
  if (model !== undefined) return model
  const known = [...new Set(models.map((row) => row.pipeline))].join(', ')
  throw new AppError('model_files_invalid', {
    message: `the mock engine cannot play the pipeline '${pipeline}' of ${folder}/model_index.json; it knows ${known}`,
    param: '--model-path',
  })
}
