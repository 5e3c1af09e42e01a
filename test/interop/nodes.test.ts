// One model on two hosts, as two processes of this machine: real SGLang on CPU. With tensor parallelism a request runs on both; a dead host ends
// what runs and the model comes back. With data-parallel attention the second host's ranks are routed to by what their own caches hold.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { need } from '../helpers/need.ts'
import { chat, type Fleet, type FleetFrontend, type FleetProcess, startFleet } from '../helpers/processes/fleet.ts'
import { canRunReal, descendants, realArgs, realEnv, schedulersOf } from '../helpers/processes/sglang-fleet.ts'
import { freePort } from '../helpers/processes/sglang-server.ts'
import { until } from '../helpers/run-request.ts'
import { quickStart } from '../helpers/sglang.ts'

const START_MS = 600_000
const CASE_MS = 300_000
const present = need('a Python with SGLang (bun run sglang:setup)', canRunReal) && need('two CPU cores', availableParallelism() > 1)

/** A rank holds what its KV events say, not what was sent to it. */
const eventsOnly = ['--router-predicted-ttl-secs', '0']

/** Both hosts of a model, and a frontend. */
async function twoHosts(fleet: Fleet, more: string[], env: Record<string, string> = {}) {
  const all = ['--nnodes', '2', '--dist-init-addr', `127.0.0.1:${freePort()}`, '--enable-metrics', ...more]
  const system = freePort()
  // SGLang on CPU wants to know which core each rank has.
  const bound = realEnv({ SGLANG_CPU_OMP_THREADS_BIND: '0|1', ...env })
  const rank = (rank: number) => realArgs(...all, '--node-rank', String(rank), '--port', String(freePort()))
  const second = await fleet.node(['--model-path', 'models/tiny-llm', ...rank(1)], { ...bound, DYN_SYSTEM_PORT: String(system) })
  const [first, frontend] = await Promise.all([fleet.worker(rank(0), bound), fleet.frontend(eventsOnly)])
  await until('the second host works', () => /Node 1 of 2 .* works/.test(second.output()), START_MS)
  await until('the model is served', async () => (await chat(frontend.url, 'hello')).ok, START_MS)
  return { first, second, frontend, system: `http://127.0.0.1:${system}` }
}

const told = async (response: Response) => {
  const body = (await response.json()) as {
    choices: { message: { content: string } }[]
    usage: { prompt_tokens_details: { cached_tokens: number } }
  }
  return {
    text: body.choices[0]!.message.content,
    cached: body.usage.prompt_tokens_details.cached_tokens,
    rank: Number(response.headers.get('x-dp-rank')),
    overlap: Number(response.headers.get('x-kv-overlap')),
  }
}

describe.skipIf(!present)('one model on two hosts: tensor parallel', () => {
  const fleet = startFleet(undefined, START_MS)
  let first: FleetProcess
  let second: FleetProcess
  let frontend: FleetFrontend
  let system: string
  let answer: string

  beforeAll(async () => {
    const started = await twoHosts(fleet, ['--tp', '2'])
    ;({ first, second, frontend, system } = started)
  }, START_MS)
  afterAll(() => fleet.stop(), CASE_MS)

  test(
    'a request runs on both; the second tells its health and metrics, and no one a worker',
    async () => {
      answer = (await told(await chat(frontend.url, 'hello'))).text
      expect(answer.length).toBeGreaterThan(0)
      expect([schedulersOf(first.pid).length, schedulersOf(second.pid).length]).toEqual([1, 1])
      expect((await fetch(`${system}/health`)).status).toBe(200)
      expect(await (await fetch(`${system}/metrics`)).text()).toContain('engine_ready')
      const { workers } = (await (await fetch(`${frontend.url}/health`)).json()) as { workers: unknown[] }
      expect(workers.length).toBe(1)
    },
    CASE_MS,
  )

  test(
    'the second host dies: what runs ends with an error, and the model comes back with the same answer',
    async () => {
      const running = chat(frontend.url, 'hello', { maxTokens: 1500 })
      await Bun.sleep(1000)
      for (const pid of descendants(second.pid)) process.kill(pid, 'SIGKILL')
      expect((await running).status).toBe(503)
      await until('it serves again', async () => (await chat(frontend.url, 'hello')).ok, START_MS)
      expect((await told(await chat(frontend.url, 'hello'))).text).toBe(answer)
    },
    CASE_MS,
  )

  test(
    'both told to stop: the second waits until the first has ended the model',
    async () => {
      const codes = await Promise.all([second.stop(60_000), first.stop(60_000)])
      expect(codes).toEqual([0, 0])
      expect(second.output()).toContain('waiting for the first node to end the model')
    },
    CASE_MS,
  )
})

describe.skipIf(!present)('one model on two hosts: data-parallel attention', () => {
  const fleet = startFleet(undefined, START_MS)
  let frontend: FleetFrontend
  let second: FleetProcess

  beforeAll(async () => {
    const PYTHONPATH = [join(import.meta.dir, '../sglang/cpu-dp-attention'), quickStart].join(':')
    const started = await twoHosts(fleet, ['--tp', '2', '--dp', '2', '--enable-dp-attention'], { PYTHONPATH })
    ;({ frontend, second } = started)
  }, START_MS)
  afterAll(() => fleet.stop(), CASE_MS)

  test(
    "a prompt that the second host's rank has seen goes there again, because of its KV events",
    async () => {
      expect(second.output()).toContain('tells the KV events of ranks 1')
      const prompts = Array.from({ length: 4 }, (_, i) => `${i} ${'over the river and through the wood '.repeat(12)}`)
      // Together, so that both ranks get some.
      const before = await Promise.all(prompts.map(async (prompt) => told(await chat(frontend.url, prompt))))
      expect(new Set(before.map(({ rank }) => rank))).toEqual(new Set([0, 1]))
      // The events travel by two processes.
      await Bun.sleep(1500)
      for (const [i, prompt] of prompts.entries()) {
        const again = await told(await chat(frontend.url, prompt))
        expect(again).toMatchObject({ rank: before[i]!.rank, text: before[i]!.text })
        expect(again.overlap).toBeGreaterThan(0)
        expect(again.cached).toBeGreaterThanOrEqual(again.overlap)
      }
    },
    CASE_MS,
  )
})
