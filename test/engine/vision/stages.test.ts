// Where the times of a picture's way are told: /metrics of the process that does the part.
import { expect, test } from 'bun:test'
import type { Engine } from '../../../src/engine/engine.ts'
import { mockEncoder } from '../../../src/engine/vision/mock/encoder.ts'
import { remoteEncoder } from '../../../src/engine/vision/remote/encoder.ts'
import { hostEncoder } from '../../../src/engine/vision/remote/host.ts'
import { timedPrefill } from '../../../src/engine/vision/timed-prefill.ts'
import { registry } from '../../../src/lib/metrics.ts'
import { stageTimer, type VisionStage } from '../../../src/lib/vision-stages.ts'
import { tcpClient } from '../../../src/transport/tcp/client.ts'
import { tcpServer } from '../../../src/transport/tcp/server.ts'
import { madeUpPicture } from '../../helpers/media-items.ts'

const never = new AbortController().signal

test('a part that took 20 ms is in the histogram of its model', async () => {
  stageTimer('stages-of-m')('preprocess', 20)
  await import('../../../src/lib/vision-stage-metrics.ts')
  await Bun.sleep(0)
  const text = await registry.metrics()
  expect(text).toContain('dynamo_component_vision_stage_seconds_sum{model="stages-of-m",stage="preprocess"} 0.02\n')
  expect(text).toContain('dynamo_component_vision_stage_seconds_count{model="stages-of-m",stage="preprocess"} 1\n')
})

test("the way to an encode worker and back is what is left without the worker's own time", async () => {
  const mock = mockEncoder({ modelPath: 'm', dim: 16, msPerPicture: 200 })
  await mock.start()
  const host = hostEncoder(mock)
  const server = tcpServer(host.service, { host: '127.0.0.1', port: 0 })
  const told: [VisionStage, number][] = []
  const far = remoteEncoder(tcpClient(server.address), (stage, ms) => told.push([stage, ms]))
  await far.start()
  const asked = performance.now()
  await far.encode(madeUpPicture('a'), never)
  const whole = performance.now() - asked
  expect(told.map(([stage]) => stage)).toEqual(['transfer'])
  expect(told[0]![1]).toBeGreaterThan(0)
  expect(told[0]![1]).toBeLessThanOrEqual(whole - 195)
  await far.stop()
  host.close()
  await server.close()
  await mock.stop()
})

test('the first token of a request with pictures is told once, that of text never', async () => {
  const told: VisionStage[] = []
  const pushes: number[] = []
  const usage = { promptTokens: 1, completionTokens: 2, cachedTokens: 0, reasoningTokens: 0 }
  const generate: Engine['generate'] = async (_, sink) => {
    sink.push(new Int32Array([7]), 0, 1, undefined)
    sink.push(new Int32Array([8]), 0, 1, undefined)
    sink.end({ kind: 'length' }, usage)
  }
  const engine = timedPrefill({ generate } as Engine, (stage) => told.push(stage))
  const sink = { push: (ids: Int32Array) => pushes.push(ids[0]!), end: () => pushes.push(-1), fail: () => {} }
  type Request = Parameters<Engine['generate']>[0]
  await engine.generate({ requestId: 'text' } as Request, sink, never)
  expect(told).toEqual([])
  await engine.generate({ requestId: 'seen', media: [madeUpPicture('a')] } as unknown as Request, sink, never)
  expect(told).toEqual(['prefill'])
  expect(pushes).toEqual([7, 8, -1, 7, 8, -1])
  // The prompt of a decode leg is computed by the prefill worker, which counts it; a decode engine that works alone computes its own.
  const decode = timedPrefill({ generate, info: { role: 'decode' } } as unknown as Engine, (stage) => told.push(stage))
  const seen = { requestId: 'seen', media: [madeUpPicture('a')] } as unknown as Request
  await decode.generate({ ...seen, bootstrap: { host: 'h', port: 1, room: 1 } }, sink, never)
  expect(told).toEqual(['prefill'])
  await decode.generate(seen, sink, never)
  expect(told).toEqual(['prefill', 'prefill'])
})
