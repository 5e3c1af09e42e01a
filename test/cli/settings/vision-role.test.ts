// Command lines where pictures are encoded apart from the language model.
import { describe, expect, test } from 'bun:test'
import { parseSettings } from '../../../src/cli/settings/parse-settings.ts'
import type { Command } from '../../../src/cli/settings/setting.ts'
import { AppError } from '../../../src/lib/errors.ts'

const parse = (command: Command, line: string, env: Record<string, string> = {}) =>
  parseSettings(line.split(' ').filter(Boolean), env, command)
const role = (command: Command, line: string, env: Record<string, string> = {}) => parse(command, `--model-path m ${line}`, env).visionRole

describe('who does what', () => {
  test.each([
    ['--multimodal-encode-worker', 'encode'],
    ['--disaggregation-mode encode', 'encode'],
    // Dynamo's newer scripts give both.
    ['--disaggregation-mode encode --dedicated-mm-encoder --enable-multimodal', 'encode'],
    ['--multimodal-worker', 'language'],
    ['--dedicated-mm-encoder', 'language'],
    ['--multimodal-worker --disaggregation-mode prefill', 'language'],
    ['--multimodal-worker --disaggregation-mode decode', 'language'],
    ['--multimodal-processor', 'processor'],
    ['--enable-multimodal', undefined],
  ])('worker %s', (line, expected) => expect(role('worker', line)).toBe(expected as never))

  test('variables say it as well; a frontend of the same machine does not mind them', () => {
    expect(role('worker', '', { DYN_SGL_MULTIMODAL_ENCODE_WORKER: 'true' })).toBe('encode')
    expect(role('serve', '', { DYN_SGL_DEDICATED_MM_ENCODER: '1' })).toBe('language')
    const env = { DYN_SGL_MULTIMODAL_ENCODE_WORKER: '1', DYN_SGL_MULTIMODAL_WORKER: '1' }
    expect(parse('frontend', '', env).visionRole).toBeUndefined()
  })

  test('the processor’s part is in serve and in frontend', () => {
    const serve = parse('serve', '--engine mock --multimodal-processor')
    expect(serve.visionRole).toBeUndefined()
    expect(serve.notices.join()).toContain('serve does that anyway')
    expect(parse('frontend', '--multimodal-processor').notices.join()).toContain('a frontend is one')
  })
})

test('SGLang’s language engine is told that it sees; its encoder is not told our modes', () => {
  expect(parse('worker', '--model-path m --multimodal-worker').engineArgs).toContain('--enable-multimodal')
  expect(
    parse('worker', '--model-path m --multimodal-worker --enable-multimodal').engineArgs.filter((word) => word === '--enable-multimodal'),
  ).toHaveLength(1)
  expect(parse('worker', '--model-path m --disaggregation-mode encode --dtype float32').engineArgs.join(' ')).toBe(
    '--model-path m --dtype float32',
  )
  expect(parse('worker', '--model-path m --multimodal-encode-worker').endpoint).toBe('dyn://dynamo.encoder.generate')
})

test('the servers to register at are given as SGLang takes them', () => {
  const { encoderRegisterUrls } = parse(
    'worker',
    '--model-path m --multimodal-encode-worker --encoder-register-urls http://a:8997 http://b:8997',
  )
  expect(encoderRegisterUrls).toEqual(['http://a:8997', 'http://b:8997'])
})

describe('refused at start, with what to do', () => {
  test.each<[Command, string, string, RegExp]>([
    ['worker', '--multimodal-encode-worker --multimodal-worker', '--multimodal-worker', /run a worker for each/],
    ['worker', '--multimodal-worker --multimodal-processor', '--multimodal-processor', /run a worker for each/],
    ['serve', '--multimodal-encode-worker', '--multimodal-encode-worker', /serve --dedicated-mm-encoder/],
    ['worker', '--multimodal-encode-worker --disaggregation-mode prefill', '--multimodal-encode-worker', /no prompts and answers/],
    ['worker', '--multimodal-encode-worker --embedding-worker', '--multimodal-encode-worker', /a process for each/],
    ['worker', '--multimodal-worker --image-diffusion-worker', '--multimodal-worker', /a process for each/],
    ['serve', '--dedicated-mm-encoder --engine http --engine-url http://h:1', '--dedicated-mm-encoder', /takes no rows/],
    ['worker', '--multimodal-encode-worker --vision-encoder-url h:1', '--vision-encoder-url', /http:/],
    ['worker', '--multimodal-encode-worker --vision-encoder mock --vision-encoder-url http://h:1', '--vision-encoder-url', /says mock/],
    ['worker', '--multimodal-encode-worker --vision-encoders 0', '--vision-encoders', /nobody would encode/],
    ['serve', '--dedicated-mm-encoder --vision-encoders 0', '--vision-encoders', /nobody would encode/],
    ['worker', '--multimodal-encode-worker --encoder-bootstrap-url h:8997', '--encoder-register-urls', /http:/],
    ['worker', '--multimodal-encode-worker --encoder-sglang-version 0.5.5', '--encoder-sglang-version', /0\.5\.6 or later/],
    ['worker', '--multimodal-encode-worker --encoder-sglang-version newest', '--encoder-sglang-version', /0\.5\.6 or later/],
    ['worker', '--multimodal-encode-worker --vision-encoder torch', '--vision-encoder', /auto, onnx, sglang, mock/],
  ])('%s %s', (command, line, param, message) => {
    let error: unknown
    try {
      parse(command, `--model-path m ${line}`)
    } catch (thrown) {
      error = thrown
    }
    expect(error).toBeInstanceOf(AppError)
    expect((error as AppError).param).toBe(param)
    expect((error as AppError).message).toMatch(message)
  })
})

test('settings that nobody acts on are told', () => {
  expect(parse('worker', '--model-path m --vision-encoder onnx').notices.join()).toContain('--vision-encoder has no effect without')
  expect(parse('worker', '--model-path m --multimodal-worker --encoder-port 1').notices.join()).toContain('--encoder-port has no effect')
  expect(parse('worker', '--model-path m --multimodal-encode-worker --vision-encoder onnx --encoder-port 1').notices).toEqual([])
})
