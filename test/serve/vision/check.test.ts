// What is wrong with a seeing model's files is told before anything opens, by the flag that was given.
import { expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { encodeWorkerOptions, serveOptions } from '../../../src/cli/deployment/process-options.ts'
import { parseSettings } from '../../../src/cli/settings/parse-settings.ts'
import { checkSeeing } from '../../../src/serve/vision/check.ts'

const models = join(import.meta.dir, '../../../models')
const serve = (model: string, line: string) =>
  checkSeeing(serveOptions(parseSettings(['--engine', 'mock', '--model-path', join(models, model), ...line.split(' ')], {}, 'serve'), {}))

test.each(['--multimodal-worker', '--dedicated-mm-encoder', '--enable-multimodal'])(
  '%s on a text model is named as it was given',
  async (flag) => {
    const { code, param, message } = await serve('tiny-llm', flag).catch((error) => error)
    expect([code, param]).toEqual(['invalid_setting', flag])
    expect(message).toMatch(new RegExp(`^${flag}: .*tiny-llm is a text model`))
  },
)

test('an encode worker too', async () => {
  const settings = parseSettings(['--multimodal-encode-worker', '--model-path', join(models, 'tiny-llm')], {}, 'worker')
  expect(await checkSeeing(encodeWorkerOptions(settings, {})).catch((error) => error.message)).toStartWith('--multimodal-encode-worker: ')
})

test('a tower that is not there: the hint names the model', async () => {
  const line = '--dedicated-mm-encoder --vision-encoder onnx --vision-tower /nowhere.onnx'
  const folder = join(models, 'tiny-vl')
  expect(existsSync('/nowhere.onnx')).toBe(false)
  expect(await serve('tiny-vl', line).catch((error) => error.message)).toEndWith(`--model-path ${folder} --out /nowhere.onnx`)
})

test('what is well, and what lies elsewhere, is let pass', async () => {
  await serve('tiny-vl', '--dedicated-mm-encoder')
  await serve('tiny-vl', '--enable-multimodal')
  await serve('tiny-llm', '--served-model-name x')
  await serve('not-here-yet', '--enable-multimodal')
})
