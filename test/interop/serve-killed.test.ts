// Plain `serve` with one real SGLang, a part of which is killed amid a stream: no other worker could go on with the answer, so it ends at once with an error
// event, new requests are told when to come again, and the same answer comes when the engine is back.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { need } from '../helpers/need.ts'
import { alive, canRunReal, descendants, realArgs, realEnv, schedulersOf } from '../helpers/processes/sglang-fleet.ts'
import { type Started, start } from '../helpers/processes/start.ts'
import { until } from '../helpers/run-request.ts'
import { sseEvents } from '../helpers/sse.ts'

const CASE_MS = 300_000

describe.skipIf(!need('SGLang (bun run sglang:setup)', canRunReal))('serve with one SGLang', () => {
  let server: Started
  beforeAll(async () => {
    server = await start({ args: realArgs(), env: realEnv(), readySecs: 240 })
  }, CASE_MS)
  afterAll(async () => {
    const left = server === undefined ? [] : descendants(server.pid)
    expect(await server?.stop(30_000)).toBe(0)
    expect(left.filter(alive)).toEqual([])
  }, CASE_MS)

  const ask = (more: Record<string, unknown>): Promise<Response> =>
    fetch(`${server.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'models/tiny-llm', prompt: 'Once upon a time', temperature: 0, ignore_eos: true, ...more }),
    })
  const answer = async () => ((await (await ask({ max_tokens: 24 })).json()) as { choices: { text: string }[] }).choices[0]!.text

  /** SGLang's schedulers are children of the bridge, which is the first process that `serve` started. */
  const bridge = (): number => descendants(server.pid)[0]!
  const victims = { scheduler: () => schedulersOf(server.pid)[0]!, bridge }

  for (const [part, pid] of Object.entries(victims))
    test(
      `kill -9 of the ${part}`,
      async () => {
        const calm = await answer()
        const before = descendants(server.pid)
        const stream = await ask({ max_tokens: 1900, stream: true })
        const events: string[] = []
        let killedAt = 0
        for await (const event of sseEvents(stream.body!)) {
          events.push(event)
          if (events.length !== 20) continue
          killedAt = performance.now()
          process.kill(pid(), 'SIGKILL')
        }
        const tookMs = Math.round(performance.now() - killedAt)
        // It ended before the engine was there again, not because of it.
        expect(schedulersOf(server.pid).filter((one) => !before.includes(one))).toEqual([])
        console.log(`the stream ended ${tookMs} ms after kill -9 of the ${part}`)
        const last = JSON.parse(events.at(-1) === '[DONE]' ? events.at(-2)! : events.at(-1)!) as { error: { code: string; type: string } }
        expect(last.error.code).toBe('engine_failed')

        const refused = await ask({ max_tokens: 1 })
        expect(refused.status).toBe(503)
        expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
        const health = await fetch(`${server.url}/health`)
        expect(health.status).toBe(503)
        expect(await health.text()).toMatch(part === 'scheduler' ? /scheduler \d+ ended: killed by SIGKILL/ : /SIGKILL/)
        await until('it serves again', async () => (await fetch(`${server.url}/health`)).ok, 240_000)
        expect(await answer()).toBe(calm)
        expect(before.filter(alive)).toEqual([])
      },
      CASE_MS,
    )
})
