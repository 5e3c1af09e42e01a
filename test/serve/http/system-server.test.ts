// What the system port says to who asks for a route that it does not have.
import { expect, test } from 'bun:test'
import { createSystemApp } from '../../../src/serve/http/system-server.ts'

test.each([
  [[], '/live, /ready, /health and /metrics.'],
  [['/engine', '/engine/:name'], '/live, /ready, /health, /metrics, /engine and /engine/:name.'],
])('the system port lists its routes, operations or none: %j', async (paths, list) => {
  const probes = {
    served: () => [],
    complete: () => false,
    workers: () => [],
    health: { check: async () => [] },
    state: () => 'ready' as const,
  }
  const routes = paths.map((path) => ({ method: 'GET' as const, path, answer: () => new Response() }))
  const app = createSystemApp({ ...probes, endpoint: 'dyn://a.b.c', version: '1' }, routes as never)
  const body = (await (await app.fetch(new Request('http://x/nope'))).json()) as { error: { message: string } }
  expect(body.error.message).toEndWith(`it answers ${list}`)
})
