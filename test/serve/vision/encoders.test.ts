// The encoders of a process: started together, known by name, ended together.
import { afterEach, expect, test } from 'bun:test'
import { join } from 'node:path'
import { visionOptions } from '../../../src/cli/deployment/encode-options.ts'
import { parseSettings } from '../../../src/cli/settings/parse-settings.ts'
import { log } from '../../../src/lib/log.ts'
import { metricsText } from '../../../src/serve/http/metrics.ts'
import { type Encoders, openEncoders } from '../../../src/serve/vision/encoders.ts'
import { encoderKind } from '../../../src/serve/vision/make-encoder.ts'
import { readSeeingModel } from '../../../src/serve/vision/model.ts'
import { noisePicture } from '../../helpers/vision.ts'

log.level = 'silent'
const never = new AbortController().signal
const folder = join(import.meta.dir, '../../../models/tiny-vl')

const ending: Encoders[] = []
afterEach(() => Promise.all(ending.splice(0).map((encoders) => encoders.stop())))

async function open(line: string): Promise<Encoders> {
  const settings = parseSettings(['--model-path', folder, ...line.split(' ')], {}, line.includes('encode-worker') ? 'worker' : 'serve')
  const options = visionOptions(settings, {}, '127.0.0.1')!
  const model = await readSeeingModel(folder, { servedNames: ['vl'], hub: {} as never } as never, options.flag)
  const encoders = openEncoders(options, model, (index) => `e-${index}`)
  ending.push(encoders)
  return encoders
}

test('several encoders of one process share a pool, a cache and the metrics', async () => {
  const encoders = await open('--engine mock --dedicated-mm-encoder --vision-encoders 3 --speedup-ratio 1000000')
  await encoders.start()
  const items = await Promise.all([1, 2, 3, 1].map((seed) => noisePicture(seed, 56, 56)))
  const rows = await Promise.all(items.map((item) => encoders.forPictures.encode(item, never)))
  expect(rows[0]).toBe(rows[3]!)
  const text = await metricsText([])
  for (const line of [
    'vision_encoder_pictures_total{model="vl",encoder="e-0"} 1',
    'embedding_cache_joined_total{model="vl"} 1',
    'engine_ready{worker_id="e-2"} 1',
  ])
    expect(text).toContain(`dynamo_component_${line}`)
  await encoders.stop()
  expect(await encoders.forPictures.encode(await noisePicture(9, 56, 56), never).catch((error) => error.code)).toBe('encoder_unavailable')
})

test('one that does not start is a failure of the process, with its own words', async () => {
  const encoders = await open('--engine mock --multimodal-encode-worker --mock-failure fail-start')
  expect(encoders.start()).rejects.toThrow('told not to start')
})

test('a server that somebody else runs may come late', async () => {
  const encoders = await open('--engine mock --dedicated-mm-encoder --vision-encoder-url http://127.0.0.1:9')
  await encoders.start()
  expect(encoders.pool.figures()).toMatchObject([{ id: 'e-0', ready: false }])
})

test('what auto means', () => {
  const auto = { kind: 'auto', url: undefined, tower: undefined } as const
  expect(encoderKind(auto, '/nowhere')).toBe('sglang')
  expect(encoderKind({ ...auto, tower: 't.onnx' }, '/nowhere')).toBe('onnx')
  expect(encoderKind({ ...auto, url: 'http://h:1', tower: 't.onnx' }, '/nowhere')).toBe('sglang')
  expect(encoderKind({ ...auto, kind: 'mock', tower: 't.onnx' }, '/nowhere')).toBe('mock')
})
