// SGLang's own encoder behind the seam: a server that we start, one that somebody else runs, and the end of either.
import { expect, test } from 'bun:test'
import { sglangEncoder } from '../../../../src/engine/vision/sglang/encoder.ts'
import { need } from '../../../helpers/need.ts'
import { cpuEnv, sglangPython } from '../../../helpers/sglang.ts'
import { noisePicture, tinyVl, vlArgs } from '../../../helpers/vision.ts'
import { visionSuite } from '../../../suites/vision.suite.ts'

const python = sglangPython()
const never = new AbortController().signal

if (need('SGLang', python !== undefined)) {
  const first = await noisePicture(1, 112, 84)
  const server = { python: python!, args: vlArgs(), env: { ...cpuEnv(false), SGLANG_HOST_IP: '127.0.0.1' } }
  const notices: string[] = []
  visionSuite("SGLang's encoder", () => sglangEncoder({ modelPath: tinyVl, server, onNotice: (text) => notices.push(text) }), {
    pictures: [first, await noisePicture(2, 196, 140), await noisePicture(3, 84, 140)],
    broken: { ...first, file: new TextEncoder().encode('a poem, no picture'), hash: 'x' },
    more(encoder) {
      test('it has learnt what rows are like', () => {
        expect(encoder().info).toMatchObject({ modelPath: tinyVl, dim: 64, type: 'float32', patchesPerRow: 4 })
        expect(encoder().info.msPerPatch).toBeGreaterThan(0)
      })

      test('killed, it fails what runs with engine_unavailable and is back by itself', async () => {
        const running = encoder() as ReturnType<typeof sglangEncoder>
        const before = (await running.encode(first, never)).itemHash
        const states: boolean[] = []
        running.on(({ ready }) => states.push(ready))
        process.kill(running.pid!, 'SIGKILL')
        const [end] = await Promise.allSettled([running.encode(first, never)])
        expect(end).toMatchObject({ status: 'rejected', reason: { code: 'engine_unavailable' } })
        while (!states.includes(false)) await Bun.sleep(10)
        while (!running.ready) await Bun.sleep(100)
        expect((await running.encode(first, never)).itemHash).toBe(before)
        expect(states).toEqual([false, true])
        expect(notices).toEqual([expect.stringContaining('was ended by SIGKILL')])
      }, 300_000)
    },
  })

  test('arguments that it does not know end the start by name', async () => {
    const wrong = sglangEncoder({ modelPath: tinyVl, server: { ...server, args: [...vlArgs(), '--no-such-thing'] } })
    await expect(wrong.start()).rejects.toMatchObject({ code: 'sglang_failed', message: expect.stringContaining('--no-such-thing') })
    await wrong.stop()
  }, 120_000)
}
