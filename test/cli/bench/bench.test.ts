import { afterAll, describe, expect, spyOn, test } from 'bun:test'
import { readFileSync, rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runBench } from '../../../src/cli/bench/bench.ts'
import { need } from '../../helpers/need.ts'

/** A server of OpenAI's shape whose models behave as their names say. */
const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  async fetch(request) {
    if (new URL(request.url).pathname === '/v1/models') return Response.json({ data: [{ id: 'good' }] })
    const body = (await request.json()) as { model: string; stream: boolean; max_tokens: number; prompt?: string }
    seen.push(body)
    const usage = { prompt_tokens: 5, completion_tokens: body.max_tokens }
    const fails = body.model === 'bad' || (body.model === 'flaky' && seen.length % 2 === 0)
    if (fails) return Response.json({ error: { message: 'no', type: 'server_error', code: 'engine_unavailable' } }, { status: 503 })
    if (body.model === 'stuck') return new Promise<Response>(() => {})
    if (!body.stream) return Response.json({ choices: [], usage })
    const events = Array.from({ length: body.max_tokens }, () => 'data: {"choices":[{"delta":{"content":"a"}}]}\n\n')
    if (body.model === 'cut') return new Response(events.join(''))
    return new Response(`${events.join('')}data: ${JSON.stringify({ choices: [], usage })}\n\ndata: [DONE]\n\n`)
  },
})
const seen: { model: string; max_tokens: number; prompt?: string }[] = []
afterAll(() => server.stop(true))

/** Runs the command; its exit code, what it printed, and what it wrote as JSON. */
async function bench(line: string) {
  seen.length = 0
  const file = join(tmpdir(), `bench-${process.pid}-${Math.random()}.json`)
  const printed: string[] = []
  const write = spyOn(process.stdout, 'write').mockImplementation((text) => printed.push(String(text)) > 0)
  try {
    const code = await runBench(['--url', server.url.href, '--json', file, ...line.split(' ')])
    const report = await Bun.file(file).json()
    return { code, table: printed.join(''), report }
  } finally {
    write.mockRestore()
    await rm(file, { force: true })
  }
}

describe('a server that answers', () => {
  test('closed loop: every request is counted, with its tokens and times', async () => {
    const { code, report, table } = await bench('--concurrency 8 --num-requests 50 --output-tokens 10 --warmup 3')
    expect(code).toBe(0)
    expect(seen).toHaveLength(53)
    expect(report).toMatchObject({
      tool: 'dynamo-sglang bench',
      model: 'good',
      concurrency: 8,
      rate: null,
      requests: { sent: 50, succeeded: 50, failed: 0 },
      tokens: { output: 500, outputPerRequest: 10, prompt: 250 },
      ttftMs: { count: 50 },
      itlMs: { count: 450 },
      e2eMs: { count: 50 },
      errors: {},
    })
    expect(new Date(report.date).getTime()).toBeGreaterThan(0)
    expect(report.command).toContain('--concurrency 8')
    expect(report.processes[0]).toMatchObject({ name: 'bench', pid: process.pid })
    expect(table).toContain('50 of 50 succeeded')
    expect(table).toMatch(/first token( +[\d.]+){5}\n/)
  })

  test('open loop: as many as arrive, also with a bound on what runs', async () => {
    for (const more of ['', ' --concurrency 2']) {
      const { code, report } = await bench(`--rate 2000 --num-requests 40 --output-tokens 2 --endpoint completions --no-stream${more}`)
      expect([code, report.requests.succeeded, report.rate, report.ttftMs]).toEqual([0, 40, 2000, null])
    }
    expect(seen.every((body) => typeof body.prompt === 'string')).toBe(true)
  })

  test('a time bound ends it', async () => {
    const { report } = await bench('--concurrency 2 --duration-secs 0.05 --output-tokens 1')
    expect(report.requests.sent).toBe(seen.length)
    expect(report.requests.failed).toBe(0)
  })

  test('another process is measured when its pid is given', async () => {
    const { report, table } = await bench(`--num-requests 2 --concurrency 1 --pids me=${process.pid}`)
    expect(report.processes.map((one: { name: string }) => one.name)).toEqual(['bench', 'me'])
    expect(table).toMatch(/ {2}me( +[\d.]+){5}\n/)
  })
})

describe('a server that fails', () => {
  test('exit code 1 when every request failed, errors by status and code', async () => {
    const { code, report, table } = await bench('--model bad --num-requests 5 --concurrency 2')
    expect([code, report.requests.failed, report.errors]).toEqual([1, 5, { '503 engine_unavailable': 5 }])
    expect(table).toMatch(/ 5 {2}503 engine_unavailable\n/)
  })

  test('exit code 0 when some went well; failed ones are in no time', async () => {
    const { code, report } = await bench('--model flaky --num-requests 10 --concurrency 1 --output-tokens 3')
    expect([code, report.requests.succeeded, report.requests.failed, report.e2eMs.count]).toEqual([0, 5, 5, 5])
  })

  test.each([
    ['cut', 'stream ended without [DONE]'],
    ['stuck', 'timeout'],
  ])('%s: %s', async (model, error) => {
    const { code, report } = await bench(`--model ${model} --num-requests 2 --concurrency 2 --timeout-secs 0.1`)
    expect([code, report.errors]).toEqual([1, { [error]: 2 }])
  })

  test('nobody there: said at once, or counted when the model is named', async () => {
    const dead = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response() })
    const url = dead.url.href
    await dead.stop(true)
    const refused = { code: 'engine_unavailable', message: expect.stringMatching(/does not answer \(.*connect.*\); check --url/) }
    await expect(runBench(['--url', url])).rejects.toMatchObject(refused)
    const { code, report } = await bench(`--url ${url} --model m --num-requests 3 --concurrency 3`)
    expect([code, report.errors]).toEqual([1, { 'cannot connect: ECONNREFUSED': 3 }])
  })

  test('a pid that is none is refused before any load', async () => {
    await expect(bench('--pids gone=99999999')).rejects.toThrow(/no process 99999999/)
    expect(seen).toHaveLength(0)
  })
})

/** A key and a certificate that nobody signed but itself. */
function selfSigned() {
  const path = (name: string) => join(tmpdir(), `bench-${process.pid}-${name}.pem`)
  const [key, cert] = [path('key'), path('cert')]
  const args = `req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout ${key} -out ${cert}`.split(' ')
  Bun.spawnSync(['openssl', ...args], { stdio: ['ignore', 'ignore', 'ignore'] })
  const [keyText, certText] = [readFileSync(key, 'utf8'), readFileSync(cert, 'utf8')]
  for (const file of [key, cert]) rmSync(file)
  return { key: keyText, cert: certText }
}

test.skipIf(!need('openssl', Bun.which('openssl') !== null))('a certificate that is refused is told, and --insecure takes it', async () => {
  const handler = (request: Request): Promise<Response> =>
    fetch(new Request(new URL(new URL(request.url).pathname, server.url).href, request))
  const secure = Bun.serve({ hostname: '127.0.0.1', port: 0, tls: selfSigned(), fetch: handler })
  try {
    const url = `https://127.0.0.1:${secure.port}`
    await expect(runBench(['--url', url])).rejects.toMatchObject({
      code: 'engine_unavailable',
      message: expect.stringMatching(/certificate of .* is refused: .*self.signed.* --insecure/),
    })
    const { code, report } = await bench(`--url ${url} --insecure --num-requests 3 --concurrency 2 --output-tokens 2`)
    expect([code, report.errors]).toEqual([0, {}])
  } finally {
    await secure.stop(true)
  }
})
