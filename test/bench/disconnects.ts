// 10,000 clients that leave at random moments; then nothing may be in flight. `bun test/bench/disconnects.ts [COUNT] [TOGETHER]`
import { disconnectMany } from '../helpers/disconnect.ts'
import { idle, start } from '../helpers/processes/start.ts'

const [count = 10_000, together = 64] = process.argv.slice(2).map(Number)
const server = await start({ args: ['--speedup-ratio', '20'] })
try {
  const began = performance.now()
  const crowd = await disconnectMany(server, count, together)
  const secs = (performance.now() - began) / 1000
  const last = performance.now()
  await idle(server)
  const health = (await (await fetch(`${server.url}/health`)).json()) as { workers: { inFlight: number }[] }
  console.log(
    JSON.stringify({
      ...crowd,
      secs: Number(secs.toFixed(1)),
      idleAfterMs: Math.round(performance.now() - last),
      inFlightFrontEnd: await server.metric('dynamo_frontend_inflight_requests'),
      inFlightEngine: health.workers.map((worker) => worker.inFlight),
      disconnectsCounted: await server.metric('dynamo_frontend_disconnected_clients'),
    }),
  )
} finally {
  await server.stop()
}
