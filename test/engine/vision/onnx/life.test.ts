// A tower's process shows life while its own thread computes; one that stands still is ended and replaced.
import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { onnxEncoder } from '../../../../src/engine/vision/onnx/encoder.ts'
import { listenForLife } from '../../../../src/engine/vision/onnx/life.ts'
import { madeUpPicture } from '../../../helpers/media-items.ts'
import { need } from '../../../helpers/need.ts'
import { tinyEncoderOptions, tinyTower } from '../../../helpers/vision-fixtures.ts'

const never = new AbortController().signal
const busy = join(import.meta.dir, '../../../helpers/processes/busy-life.ts')

test('a process whose thread is busy is heard all the time; stopped it is silent, told once', async () => {
  const child = Bun.spawn([process.execPath, busy, '60000'], { stdio: ['ignore', 'pipe', 'inherit', 'pipe'] })
  let silences = 0
  const life = listenForLife(child.stdio[3] as number, () => silences++)
  // It says when it begins to be busy.
  await child.stdout.getReader().read()
  const begun = performance.now()
  const signs = new Set<number>()
  while (signs.size < 5) {
    if (life.heardAt !== undefined && life.heardAt > begun) signs.add(life.heardAt)
    await Bun.sleep(20)
  }
  expect(silences).toBe(0)
  child.kill('SIGSTOP')
  while (silences === 0) await Bun.sleep(20)
  await Bun.sleep(1500)
  expect(silences).toBe(1)
  child.kill('SIGKILL')
  await child.exited
  life.close()
}, 20_000)

const made = await tinyTower('tiny-vl')

describe.skipIf(!need('an exported tower (a Python with onnx)', made !== undefined))('our encoder', () => {
  test('a process that is stopped while it has pictures is ended, and another takes its place', async () => {
    const encoder = onnxEncoder(tinyEncoderOptions(made!))
    const { msPerPatch } = await encoder.start()
    expect(msPerPatch).toBeGreaterThan(0)
    while (encoder.heardAt === undefined) await Bun.sleep(10)
    const stopped = encoder.pid!
    process.kill(stopped, 'SIGSTOP')
    await expect(encoder.encode(madeUpPicture('a'), never)).rejects.toMatchObject({ code: 'engine_unavailable' })
    expect(encoder.ready).toBe(false)
    while (!encoder.ready) await Bun.sleep(20)
    expect(encoder.pid).not.toBe(stopped)
    expect(() => process.kill(stopped, 0)).toThrow('ESRCH')
    process.kill(encoder.pid!, 'SIGSTOP')
    await encoder.stop()
  }, 30_000)
})
