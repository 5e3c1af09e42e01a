// SGLang's own encoder as a server that we started: one that stands still is known at once, one that is slow gets its time.
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { type VisionPool, visionPool } from '../../../../src/engine/vision/pool/pool.ts'
import { sglangEncoder } from '../../../../src/engine/vision/sglang/encoder.ts'
import { need } from '../../../helpers/need.ts'
import { cpuEnv, sglangPython } from '../../../helpers/sglang.ts'
import { noisePicture, tinyVl, vlArgs } from '../../../helpers/vision.ts'

const python = sglangPython()
const never = new AbortController().signal

if (need('SGLang', python !== undefined)) {
  const env = { ...cpuEnv(false), SGLANG_HOST_IP: '127.0.0.1' }
  const encoder = sglangEncoder({ modelPath: tinyVl, server: { python: python!, args: vlArgs(), env, onCpu: true } })
  // By the time that its work should take alone, no picture would get more than 1.3 s.
  const pool: VisionPool = visionPool({ patience: { slack: 0, livingGraceMs: 100_000 } })

  beforeAll(async () => {
    pool.add('e', encoder)
    await pool.start()
  }, 300_000)
  afterAll(() => pool.stop(), 60_000)

  test('a large picture on a slow machine is waited for', async () => {
    const large = await noisePicture(1, 1120, 1120)
    expect((await pool.encode(large, never)).rows).toBe(large.tokens)
    expect(pool.figures()).toMatchObject([{ pictures: 1, failures: 0 }])
  }, 120_000)

  test('stopped amid a large picture, it is given up for its silence; going on, it is used again', async () => {
    const running = pool.encode(await noisePicture(2, 1120, 1120), never)
    await Bun.sleep(500)
    process.kill(-encoder.pid!, 'SIGSTOP')
    await expect(running).rejects.toMatchObject({ code: 'engine_unavailable', message: expect.stringContaining('e shows no sign of life') })
    process.kill(-encoder.pid!, 'SIGCONT')
    const small = await noisePicture(3, 112, 84)
    expect((await pool.encode(small, never)).rows).toBe(small.tokens)
  }, 120_000)
}
