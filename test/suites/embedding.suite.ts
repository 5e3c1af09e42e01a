// What every engine promises whose model makes embeddings.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Engine } from '../../src/engine/engine.ts'
import { until } from '../helpers/run-request.ts'

const startMs = 300_000
const caseMs = 120_000

/** The cases of an engine whose model makes embeddings. */
export function embeddingSuite(name: string, make: () => Engine): void {
  describe(name, () => {
    let engine: Engine
    beforeAll(async () => {
      engine = make()
      await engine.start()
    }, startMs)
    afterAll(async () => {
      await engine?.stop(0)
    }, startMs)
    const embed = (ids: number[], signal = new AbortController().signal) =>
      engine.embed({ requestId: 'e', promptIds: Uint32Array.from(ids) }, signal)

    test(
      'a vector each, the same each time, another for another input',
      async () => {
        expect(engine.info.isEmbedding).toBe(true)
        const [a, b, c] = await Promise.all([embed([5, 6, 7]), embed([5, 6, 7]), embed([700, 8])])
        expect(a!.vector.length).toBeGreaterThan(7)
        expect(a!.promptTokens).toBe(3)
        expect(c!.promptTokens).toBe(2)
        const cosine = (x: Float32Array, y: Float32Array) =>
          x.reduce((sum, v, i) => sum + v * y[i]!, 0) / Math.hypot(...x) / Math.hypot(...y)
        expect(cosine(a!.vector, b!.vector)).toBeGreaterThan(0.999)
        expect(cosine(a!.vector, c!.vector)).toBeLessThan(0.99)
        expect(engine.inFlight()).toBe(0)
      },
      caseMs,
    )

    test(
      'an abort rejects, and leaves nothing behind',
      async () => {
        expect(embed([1, 2, 3], AbortSignal.abort())).rejects.toMatchObject({ code: 'client_closed_request' })
        await until('no request in flight', () => engine.inFlight() === 0)
      },
      caseMs,
    )
  })
}
