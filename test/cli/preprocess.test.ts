// `dynamo-sglang preprocess`: the sums that a model's own processor can be compared by.
import { afterAll, describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeFamily } from '../../models/vision/families.ts'
import given from '../fixtures/vision/given.json'
import { toneOf } from '../helpers/sounds.ts'
import { run } from './program.ts'

const picture = join(import.meta.dir, '../fixtures/vision/images/odd_rgb.png')
const json = async (args: string[]) => JSON.parse((await run(['preprocess', ...args, '--json'])).out)

test('grid, tokens and sums of a picture', async () => {
  const [grid, resized, u8, values] = given['odd_rgb.png'].out.qwen2vl.tv_u8 as [number[][], number[], string, string]
  expect(await json([picture, '--processor', 'qwen2vl', '--backend', 'tv_u8'])).toEqual({
    file: picture,
    processor: 'qwen2vl',
    family: 'qwen2_5_vl',
    backend: 'tv_u8',
    size_hw: [77, 123],
    grid_thw: grid,
    tokens: 12,
    resized_hw: resized,
    shape: [48, 1176],
    u8_sha256: u8,
    pixel_values_sha256: values,
  })
})

test("limits of a model's folder", async () => {
  const folder = mkdtempSync(join(tmpdir(), 'preprocess-'))
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ model_type: 'qwen2_5_vl', image_token_id: 1, vision_config: {} }))
  writeFileSync(join(folder, 'preprocessor_config.json'), JSON.stringify({ max_pixels: 56 * 56 }))
  expect(await json([picture, '--model-path', folder])).toMatchObject({ resized_hw: [28, 56], tokens: 2, backend: 'pil' })
  expect(await run(['preprocess', picture, '--model-path', folder, '--processor', 'gemma3'])).toMatchObject({
    code: 2,
    err: `dynamo-sglang: --processor gemma3 is not what ${folder} needs: that is a qwen2_5_vl model [invalid_setting]\n`,
  })
})

test('how long it takes: as often as asked, also with threads and as bytes', async () => {
  const large = join(import.meta.dir, '../fixtures/vision/images/large.jpg')
  for (const more of [[], ['--threads', '2'], ['--bytes', '--threads', '2']]) {
    const { ms } = await json([large, '--processor', 'qwen2vl', '--backend', 'tv_u8', '--repeat', '3', ...more])
    expect(ms).toHaveLength(3)
    expect(ms).toEqual(ms.toSorted((a: number, b: number) => a - b))
  }
})

test('several pictures, a line each; elsewhere than on the CPU it is told where kernels ran', async () => {
  const { out } = await run(['preprocess', picture, picture, '--processor', 'qwen2vl', '--gpu-kernels', 'auto', '--json'])
  const [first, second] = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(second).toEqual(first)
  expect(first.ran).toEqual({ cpu: 2, webgpu: 0 })
})

test('a bad file among several is told and ends nothing; each report names its file', async () => {
  const files = [picture, '/nowhere.png', import.meta.path, picture]
  const { code, out, err } = await run(['preprocess', ...files, '--processor', 'qwen2vl', '--json'])
  expect(code).toBe(1)
  expect(
    out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).file),
  ).toEqual([picture, picture])
  expect(err.trim().split('\n')).toEqual([
    expect.stringContaining('there is no file /nowhere.png'),
    expect.stringContaining(`${import.meta.path} is no picture`),
  ])
  const text = await run(['preprocess', '/nowhere.png', picture, picture, '--processor', 'qwen2vl'])
  expect(text.code).toBe(1)
  expect(text.out.match(/^(?:.+\n)+/gm)!.map((block) => block.split('\n')[0])).toEqual(Array(2).fill(`file                 ${picture}`))
})

test('why there is no sum of bytes for InternVL is in the help', async () => {
  expect(await json([picture, '--processor', 'internvl'])).toMatchObject({ u8_sha256: null })
  expect((await run(['preprocess', '--help'])).out).toContain('u8_sha256, is null where no bytes lie in between: internvl')
})

describe('a model that hears', () => {
  const hearing = writeFamily('qwen2Audio')
  const folder = mkdtempSync(join(tmpdir(), 'preprocess-sound-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const file = (name: string, bytes: Uint8Array) => {
    writeFileSync(join(folder, name), bytes)
    return join(folder, name)
  }

  test('what it gets of a sound', async () => {
    const tone = toneOf(1, 440)
    const wav = file('a.wav', tone)
    expect(await json([wav, '--model-path', hearing])).toEqual({
      ...{ file: wav, family: 'qwen2-audio', container: 'WAV', seconds: 1, samples: 16_000, rate: 16_000, tokens: 25 },
      wav_sha256: createHash('sha256').update(tone).digest('hex'),
    })
  })

  test.each([
    ['a picture', () => Bun.file(picture).bytes(), 'is a PNG picture; read are WAV, FLAC'],
    ['too long', () => toneOf(31, 440), 'is longer than 30 seconds'],
    ['too short', () => toneOf(0.01, 440), 'is too short: 160 samples'],
    ['empty', () => new Uint8Array(), 'is no sound file'],
  ])('%s is refused', async (name, bytes, message) => {
    const args = ['preprocess', file(`${name}.wav`, await bytes()), '--model-path', hearing]
    expect(await run(args)).toMatchObject({ code: 1, out: '', err: expect.stringContaining(message) })
  })

  test('a sound for a model that sees is called one; a pictures’ processor beside a model that hears is refused', async () => {
    const wav = file('b.wav', toneOf(1, 440))
    expect((await run(['preprocess', wav, '--processor', 'qwen2vl'])).err).toContain('is a WAV sound; PNG, JPEG, WebP and GIF are read')
    const both = await run(['preprocess', wav, '--processor', 'qwen2vl', '--model-path', hearing])
    expect(both).toMatchObject({ code: 2, err: expect.stringContaining('is for pictures') })
  })
})

test('for people: a line each', async () => {
  const { out } = await run(['preprocess', picture, '--processor', 'llama4'])
  expect(out).toMatch(/^grid_thw {13}\[\[1,1,144\]\]$/m)
  expect(out).toMatch(/^pixel_values_sha256 {2}[0-9a-f]{64}$/m)
})

test.each([
  [['--processor', 'qwen2vl'], 2, 'preprocess needs a FILE'],
  [[picture], 2, 'preprocess needs --processor or --model-path'],
  [[picture, '--processor', 'blip'], 2, '--processor blip is not known; qwen2vl, '],
  [[picture, '--processor', 'qwen2vl', '--backend', 'cuda'], 2, '--backend cuda is not known; pil, tv_u8, tv_f32 are'],
  [[picture, '--what'], 2, "Unknown option '--what'"],
  [[picture, '--processor', 'qwen2vl', '--repeat', 'often'], 2, "--repeat must be a whole number up to 9999, not 'often'"],
  [['/nowhere.png', '--processor', 'qwen2vl'], 2, 'there is no file /nowhere.png'],
  [[import.meta.path, '--processor', 'qwen2vl'], 1, 'is no picture; PNG, JPEG, WebP and GIF are read'],
])('%p is refused', async (args, code, message) => {
  expect(await run(['preprocess', ...args])).toMatchObject({ code, out: '', err: expect.stringContaining(message) })
})

test('a reader that leaves early ends it without a word; a full disk does not pass for done', async () => {
  const shell = async (line: string) => {
    const main = join(import.meta.dir, '../../src/main.ts')
    const command = `"${process.execPath}" "${main}" preprocess "${picture}" "${picture}" "${picture}" --processor qwen2vl --json ${line}`
    const program = Bun.spawn(['bash', '-c', command], { stdout: 'pipe', stderr: 'pipe' })
    const [out, err, code] = await Promise.all([program.stdout.text(), program.stderr.text(), program.exited])
    return { out, err, code }
  }
  expect(await shell('| head -c 0; exit $PIPESTATUS')).toEqual({ out: '', err: '', code: 0 })
  expect(await shell('> /dev/full')).toEqual({
    out: '',
    err: expect.stringMatching(/^dynamo-sglang: the report cannot be written: .*\n$/),
    code: 1,
  })
})
