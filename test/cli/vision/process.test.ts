import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { listenForLife } from '../../../src/engine/vision/onnx/life.ts'
import { until } from '../../helpers/run-request.ts'

test('signals that go to all processes of a service leave a tower at work; it ends with who started it', async () => {
  const main = join(import.meta.dir, '../../../src/main.ts')
  const child = Bun.spawn([process.execPath, main, 'vision-process'], { stdio: ['pipe', 'ignore', 'ignore', 'pipe'] })
  const life = listenForLife(child.stdio[3] as number, () => {})
  await until('it has begun', () => life.heardAt !== undefined)
  child.kill('SIGTERM')
  child.kill('SIGINT')
  await Bun.sleep(200)
  expect([child.exitCode, child.signalCode]).toEqual([null, null])
  child.stdin.end()
  expect(await child.exited).toBe(0)
  life.close()
}, 20_000)
