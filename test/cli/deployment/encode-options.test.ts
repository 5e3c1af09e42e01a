// What encodes pictures, out of command lines.
import { expect, test } from 'bun:test'
import { foreignOptions, visionOptions } from '../../../src/cli/deployment/encode-options.ts'
import { encodeWorkerOptions, serveOptions, workerOptions } from '../../../src/cli/deployment/process-options.ts'
import { parseSettings } from '../../../src/cli/settings/parse-settings.ts'
import type { Command } from '../../../src/cli/settings/setting.ts'

const settings = (command: Command, line: string) => parseSettings(['--model-path', 'm', ...line.split(' ').filter(Boolean)], {}, command)
const vision = (command: Command, line: string) => visionOptions(settings(command, line), { PATH: '/bin', EMPTY: undefined }, '10.0.0.1')

test.each<[Command, string, number | undefined]>([
  ['serve', '--enable-multimodal', undefined],
  ['serve', '--dedicated-mm-encoder', 1],
  ['serve', '--dedicated-mm-encoder --vision-encoders 3', 3],
  ['worker', '--multimodal-encode-worker', 1],
  // They find encode workers.
  ['worker', '--multimodal-worker', 0],
  ['worker', '--multimodal-worker --disaggregation-mode prefill', 0],
  ['worker', '--multimodal-worker --vision-encoder-url http://h:1', 1],
  // It gets the KV of the prompt, pictures and all.
  ['worker', '--multimodal-worker --disaggregation-mode decode', undefined],
])('%s %s: %p encoders', (command, line, count) => expect(vision(command, line)?.count).toBe(count as number))

test('an encoder beside language engines comes after their GPUs', () => {
  expect(vision('serve', '--dedicated-mm-encoder --tp 2 --workers 2')!.encoder).toMatchObject({ besideEngine: true, firstGpu: 4 })
  expect(vision('serve', '--dedicated-mm-encoder --device cpu')!.encoder.firstGpu).toBeUndefined()
  expect(vision('worker', '--multimodal-encode-worker --tp 2')!.encoder).toMatchObject({
    besideEngine: false,
    args: ['--model-path', 'm', '--tp', '2'],
  })
})

test('with the mock engine the encoder is one too, unless another is named', () => {
  expect(vision('serve', '--engine mock --dedicated-mm-encoder')!.encoder.kind).toBe('mock')
  expect(vision('serve', '--engine mock --dedicated-mm-encoder --vision-encoder onnx')!.encoder.kind).toBe('onnx')
  expect(vision('serve', '--dedicated-mm-encoder')!.encoder.kind).toBe('auto')
  // Whose faults they are.
  expect(vision('worker', '--engine mock --multimodal-encode-worker --mock-failure die-after=3')!.encoder.failure).toBe('die-after=3')
  expect(vision('serve', '--engine mock --dedicated-mm-encoder --mock-failure crash-after=3')!.encoder.failure).toBe('')
})

test('room, addresses and variables', () => {
  const told = vision('worker', '--multimodal-encode-worker --multimodal-embedding-cache-capacity-gb 2.5 --vision-encoder-url http://h:1/')!
  expect(told).toMatchObject({ flag: '--multimodal-encode-worker', cacheBytes: 2.5e9 })
  expect(told.encoder).toMatchObject({ url: 'http://h:1', receiveHost: '10.0.0.1', env: { PATH: '/bin' } })
})

test('foreign language servers are served where a port or a server is named', () => {
  const planes = workerOptions(settings('worker', '--tcp-rpc-host 10.0.0.2 --discovery-backend file'), {}).fleet.planes
  expect(foreignOptions(settings('worker', '--multimodal-encode-worker'), planes)).toBeUndefined()
  expect(foreignOptions(settings('worker', '--multimodal-encode-worker --encoder-port 21000'), planes)).toMatchObject({
    ...{ host: '10.0.0.2', port: 21000, registerAt: [] },
  })
  const registered = foreignOptions(settings('worker', '--multimodal-encode-worker --encoder-bootstrap-url http://h:8997/'), planes)
  expect(registered).toMatchObject({ port: 0, registerAt: ['http://h:8997'] })
})

test('processes get it with the rest; a mock without a tower is told so', () => {
  const engineOf = (line: string) => workerOptions(settings('worker', `--engine mock ${line}`), {}).engine
  expect(engineOf('--multimodal-worker')).toMatchObject({ rowsOnly: true })
  expect(engineOf('--multimodal-worker --disaggregation-mode decode')).toMatchObject({ rowsOnly: false })
  expect(engineOf('--enable-multimodal')).toMatchObject({ rowsOnly: false })
  const serve = serveOptions(settings('serve', '--engine mock --dedicated-mm-encoder'), {})
  expect(serve).toMatchObject({ vision: { count: 1 }, model: { mustSee: '--dedicated-mm-encoder' } })
  expect(serveOptions(settings('serve', '--engine mock'), {}).vision).toBeUndefined()
  const payload = { DYN_HEALTH_CHECK_PAYLOAD: '{"image_url":"https://h/x.png"}' }
  const encode = parseSettings(['--model-path', 'm', '--disaggregation-mode', 'encode'], payload, 'worker')
  expect(encodeWorkerOptions(encode, {})).toMatchObject({
    canary: { image_url: 'https://h/x.png' },
    endpoint: 'dyn://dynamo.encoder.generate',
  })
})
