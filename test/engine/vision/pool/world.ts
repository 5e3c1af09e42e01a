// A pool over mock encoders, stopped after each test.
import { afterEach } from 'bun:test'
import { type MockEncoderOptions, mockEncoder } from '../../../../src/engine/vision/mock/encoder.ts'
import { type PoolOptions, type VisionPool, visionPool } from '../../../../src/engine/vision/pool/pool.ts'

export const options: MockEncoderOptions = { modelPath: 'models/tiny-vl', dim: 16, msPerPicture: 2 }

const pools: VisionPool[] = []
afterEach(async () => {
  for (const pool of pools.splice(0)) await pool.stop()
})

/** Stops it after the test. */
export function kept(pool: VisionPool): VisionPool {
  pools.push(pool)
  return pool
}

/** One encoder for each failure ('': none), all ready. */
export async function startPool(failures: string[], more: PoolOptions, each: Partial<MockEncoderOptions> = {}) {
  const notices: string[] = []
  const pool = kept(visionPool({ ...more, onNotice: (text) => notices.push(text) }))
  const encoders = failures.map((failure) => mockEncoder({ ...options, ...each, failure }))
  for (const [i, encoder] of encoders.entries()) pool.add(`e${i}`, encoder)
  await pool.start()
  while (pool.figures().some(({ ready }) => !ready)) await Bun.sleep(1)
  return { pool, encoders, notices }
}
