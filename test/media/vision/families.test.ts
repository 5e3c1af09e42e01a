// What a picture of any size becomes, and what stands in the prompt for it.
import { describe, expect, test } from 'bun:test'
import type { AppError } from '../../../src/lib/errors.ts'
import { familyOf } from '../../../src/media/vision/families.ts'
import { visionModel } from '../../../src/media/vision/open.ts'
import { halfToEven } from '../../../src/media/vision/smart-resize.ts'
import { presetModel } from './vectors.ts'

const refusal = (run: () => unknown): AppError => {
  try {
    run()
  } catch (thrown) {
    return thrown as AppError
  }
  throw new Error('nothing was refused')
}

describe('Qwen', () => {
  // Width, height, resized height and width: smart_resize of transformers 5.19.
  test.each([
    ['qwen2vl', 1920, 1080, 1092, 1932],
    ['qwen2vl', 70, 42, 56, 56],
    ['qwen2vl', 1, 1, 56, 56],
    ['qwen2vl', 200, 1, 28, 812],
    ['qwen2vl', 8000, 6000, 3080, 4116],
    ['qwen2vl_max100k', 1920, 1080, 224, 420],
    ['qwen3vl', 640, 480, 480, 640],
    ['qwen3vl', 16, 16, 256, 256],
  ] as const)('%s: %dx%d', (name, width, height, tall, wide) => {
    const { resized, grid, tokens } = presetModel(name).plan(width, height, 'image')
    expect(resized).toEqual([tall, wide])
    const patch = name === 'qwen3vl' ? 16 : 14
    expect(grid).toEqual([1, tall / patch, wide / patch])
    expect(tokens).toBe((grid[1] * grid[2]) / 4)
  })

  test('one side may be 200 times the other, not more; the part of the request is named', () => {
    const model = presetModel('qwen2vl')
    expect(model.plan(200, 1, 'image').tokens).toBe(29)
    expect(refusal(() => model.plan(1, 201, 'messages[0].content[1]'))).toMatchObject({
      code: 'invalid_image',
      param: 'messages[0].content[1]',
      message: 'The image at messages[0].content[1] is 1x201; its longer side may be at most 200 times the shorter one.',
    })
  })

  test('the id that opens a picture is known by config.json, or by the name of its token', () => {
    const eye = (config: object, id?: number) =>
      familyOf('qwen2_vl')!.eye({ config: { image_token_id: 7, ...config }, processor: {}, video: {}, tokenId: () => id }).startTokenId
    expect([eye({ vision_start_token_id: 5 }, 6), eye({}, 6), eye({})]).toEqual([5, 6, undefined])
    expect(presetModel('qwen3vl').startTokenId).toBe(151652)
  })

  test('the prompt has one placeholder for each block', () => {
    const model = presetModel('qwen2vl')
    expect(model.expand(model.plan(112, 56, 'image'))).toEqual(new Array(8).fill(model.imageTokenId))
  })
})

test('halves go to the even neighbour, as in Python', () => {
  expect([0.5, 1.5, 2.5, 3.49, 3.51].map(halfToEven)).toEqual([0, 2, 2, 3, 4])
})

test('LLaVA: one square of 576 tokens', () => {
  const model = presetModel('llava')
  const plan = model.plan(1000, 20, 'image')
  expect(plan).toEqual({ resized: [336, 336], grid: [1, 1, 576], tokens: 576 })
  expect(model.expand(plan)).toEqual(new Array(576).fill(32_000))
})

test.each([
  ['clip_vision_model', undefined, 576],
  ['clip_vision_model', 'full', 577],
  ['siglip_vision_model', 'full', 576],
])('LLaVA over %s, %p: %d rows', (tower, strategy, tokens) => {
  const config = { image_token_index: 1, vision_config: { model_type: tower, patch_size: 14 }, vision_feature_select_strategy: strategy }
  const model = visionModel(familyOf('llava')!, { config, processor: { size: 336 }, video: {}, tokenId: () => undefined })
  expect(model.plan(50, 50, 'image').tokens).toBe(tokens)
})

test('LLaVA with tiles is refused by name, not seen as one square', () => {
  const config = { image_token_index: 1, vision_config: { patch_size: 14 }, image_aspect_ratio: 'anyres' }
  const files = { config, processor: { size: 336 }, video: {}, tokenId: () => undefined }
  expect(refusal(() => visionModel(familyOf('llava')!, files))).toMatchObject({
    code: 'model_files_invalid',
    message: expect.stringContaining('image_aspect_ratio in config.json is anyres'),
  })
})

test('Gemma 3: the picture between its marks; the blank lines around them are text, which a line end before them changes', () => {
  const model = presetModel('gemma3')
  const run = model.expand(model.plan(10, 2000, 'image'))
  expect(model.placeholderId).toBe(255_999)
  expect([...run.slice(0, 2), ...run.slice(-2), run.length]).toEqual([255_999, 262_144, 262_144, 256_000, 258])
  expect(model.written).toEqual({ mark: '<start_of_image>', as: '\n\n<start_of_image>\n\n', readsText: true })
})

describe('Llama 4', () => {
  const model = presetModel('llama4')
  // Width, height, rows and columns of tiles: get_best_fit of transformers 5.19.
  test.each([
    [336, 336, 1, 1],
    [100, 90, 1, 1],
    [337, 336, 1, 2],
    [800, 600, 2, 3],
    [1920, 1080, 3, 5],
    [300, 3000, 9, 1],
    [6000, 6000, 4, 4],
  ])('%dx%d', (width, height, rows, columns) => {
    expect(model.plan(width, height, 'image').tiles).toEqual([rows, columns])
  })

  test('tiles, marks between them, and the whole picture at the end', () => {
    const run = model.expand(model.plan(337, 336, 'image'))
    const shown = run.filter((id, i) => id !== 200_092 || run[i - 1] !== 200_092)
    expect(shown).toEqual([200_080, 200_092, 200_084, 200_092, 200_085, 200_090, 200_092, 200_081])
    expect(run.filter((id) => id === 200_092).length).toBe(3 * 144)
  })
})

describe('InternVL', () => {
  const model = presetModel('internvl')
  // Width, height, tiles with the whole picture: dynamic_preprocess of SGLang 0.5.23.
  test.each([
    [448, 448, 1 + 9],
    [1920, 1080, 1 + 8],
    [100, 1000, 1 + 10],
    [1000, 100, 1 + 10],
    [300, 290, 1 + 9],
  ])('%dx%d', (width, height, tiles) => {
    expect(model.plan(width, height, 'image')).toMatchObject({ grid: [1, tiles, 256], tokens: 256 * tiles })
  })

  test('one run between the marks', () => {
    const run = model.expand(model.plan(100, 1000, 'image'))
    expect([run[0], run[1], run.at(-1), run.length]).toEqual([151_665, 151_667, 151_666, 256 * 11 + 2])
  })
})

test('settings say what the numbers depend on: other limits, other settings', () => {
  const settings = (['qwen2vl', 'qwen2vl_max100k', 'qwen3vl', 'llava', 'llava_pad'] as const).map((name) => presetModel(name).settings)
  expect(new Set(settings).size).toBe(5)
})

test('a field that cannot be followed is refused at start, by file and name', () => {
  const files = { config: { image_token_id: 1 }, video: {}, tokenId: () => undefined }
  const open = (type: string, processor: Record<string, unknown>) =>
    refusal(() => visionModel(familyOf(type)!, { ...files, processor })).message
  expect(open('qwen2_vl', { resample: 1 })).toBe('resample in preprocessor_config.json is 1; 2 (bilinear) and 3 (bicubic) are known')
  expect(open('qwen2_vl', { do_resize: false })).toMatch('do_resize in preprocessor_config.json is false')
  expect(open('gemma3', { size: { height: 896, width: 800 } })).toMatch('size in preprocessor_config.json must be one side of a square')
  expect(open('llava', { size: 336, do_center_crop: false })).toMatch('do_center_crop in preprocessor_config.json is false')
  expect(refusal(() => visionModel(familyOf('llava')!, { ...files, config: {}, processor: {} })).message).toBe(
    'image_token_index or image_token_id in config.json is missing: it says which token stands for a picture',
  )
})
