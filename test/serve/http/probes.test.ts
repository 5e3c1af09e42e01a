// Probes say 200 only when a request sent now would be answered.
import { expect, test } from 'bun:test'
import type { Health } from '../../../src/serve/health.ts'
import { probes } from '../../../src/serve/http/probes.ts'
import type { LifeState } from '../../../src/serve/lifecycle.ts'

const healthy: Health = {
  check: async () => [{ id: 'w0', healthy: true, ready: true, reason: null, engine: null, inFlight: 0, ranks: [] }],
}

test('the first of several engines is up, the model is not served yet: not ready', async () => {
  const now = { models: [] as string[], state: 'starting' as LifeState, complete: true }
  const deps = { health: healthy, workers: () => [], version: '1', endpoint: 'dyn://a.b.c' }
  const { ready, health, live } = probes({ ...deps, served: () => now.models, complete: () => now.complete, state: () => now.state })
  const statuses = async () => [(await ready()).status, (await health()).status, live().status]
  expect(await statuses()).toEqual([503, 503, 200])
  expect(await (await health()).json()).toMatchObject({ status: 'starting', models: [] })
  now.models.push('tiny')
  expect(await statuses()).toEqual([200, 200, 200])
  // Prefill workers alone answer nothing.
  now.state = 'ready'
  now.complete = false
  expect(await statuses()).toEqual([503, 503, 200])
})
