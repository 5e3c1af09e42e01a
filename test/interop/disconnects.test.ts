// Clients that leave at random moments: whatever the moment, nothing stays in flight. The bench (test/bench/disconnects.ts) does ten times as many.
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { disconnectMany } from '../helpers/disconnect.ts'
import { idle, type Started, start } from '../helpers/processes/start.ts'

let server: Started
beforeAll(async () => {
  // Paced, so that many of them leave in the middle of an answer.
  server = await start({ args: ['--speedup-ratio', '20'] })
})
afterAll(() => server?.stop())

test('1,000 disconnects leave zero in flight, and the server serves on', async () => {
  const { left, finished } = await disconnectMany(server, 1000, 32)
  expect(left + finished).toBe(1000)
  expect(left).toBeGreaterThan(500)
  await idle(server)
  expect(await (await fetch(`${server.url}/health`)).json()).toMatchObject({ workers: [{ inFlight: 0 }] })
}, 120_000)
