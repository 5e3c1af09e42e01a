import { expect, test } from 'bun:test'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { commands } from '../../src/cli/cli.ts'
import { report } from '../../src/cli/failure.ts'
import { closest } from '../../src/cli/settings/closest.ts'
import { AppError } from '../../src/lib/errors.ts'
import { eventually, found, run, start } from './program.ts'

test.each(['version', '--version', '-V', 'serve --version'])('%s prints the version', async (line) => {
  const { code, out } = await run(line.split(' '))
  expect(code).toBe(0)
  expect(out).toMatch(/^dynamo-sglang \d+\.\d+\.\d+ \(bun .*\)\n$/)
})

test.each([[[]], [['help']], [['--help']], [['-h']]])('%p lists the commands', async (args) => {
  const { code, out } = await run(args)
  expect(code).toBe(0)
  for (const { name, hidden } of commands) expect(out.includes(`  ${name} `)).toBe(!hidden)
})

test.each(['serve', 'frontend', 'worker', 'route', 'example', 'doctor', 'bench', 'preprocess'])('%s has a help', async (name) => {
  const [asked, flag] = await Promise.all([run(['help', name]), run([name, '--help'])])
  expect(asked.code).toBe(0)
  expect(asked.out).toContain(`dynamo-sglang ${name}`)
  expect(flag.out).toBe(asked.out)
})

test('an unknown command is wrong usage and gets the list', async () => {
  expect(await run(['srve'])).toMatchObject({ code: 2, out: '', err: expect.stringContaining('the commands are: serve, frontend') })
})

test('a wrong setting is one line with its code', async () => {
  expect(await run(['serve', '--http-port', 'x'])).toEqual({
    code: 2,
    out: '',
    err: "dynamo-sglang: --http-port must be a whole number, not 'x' [invalid_setting]\n",
  })
})

test.each(['999.1.1.1', 'no-such-host.invalid'])('a host that is not ours (%s) is not called a port in use', async (host) => {
  const { code, err } = await run(['serve', '--engine', 'mock', '--model-path', 'models/tiny-llm', '--http-host', host, '--http-port', '0'])
  expect(code).toBeGreaterThan(0)
  expect(err).toMatch(/^dynamo-sglang: Cannot listen on .* \[invalid_setting\]\n$/)
})

test("a start-up failure is one line, also with Dynamo's way to write DYN_LOG", async () => {
  const { code, err } = await run(['serve', '--http-host', '127.0.0.1', '--http-port', '0', '--mock-failure', 'fail-start'], {
    DYN_LOG: 'error,dynamo_runtime=debug',
  })
  expect(code).toBe(1)
  expect(err).toMatch(/^dynamo-sglang: .* \[\w+\]\n$/)
})

test('a frontend and a worker find each other by two variables', async () => {
  const env = { DYN_DISCOVERY_BACKEND: 'file', DYN_FILE_KV: mkdtempSync(join(tmpdir(), 'cli-')) }
  const worker = start(['worker', '--engine', 'mock', '--model-path', 'models/tiny-llm', '--grace-period-secs', '0'], env)
  const frontend = start(['frontend', '--http-host', '127.0.0.1', '--http-port', '0', '--grace-period-secs', '0'], env)
  try {
    const url = await found(frontend.stderr, /http:\/\/127\.0\.0\.1:\d+/)
    const ask = () =>
      fetch(`${url}/v1/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'models/tiny-llm', prompt: 'Hello', max_tokens: 4 }),
      })
    await eventually(async () => (await ask()).ok)
    expect(await (await ask()).json()).toMatchObject({ usage: { completion_tokens: 4 } })
    const route = await run(['route', '--url', url, '--prompt', 'Hello'])
    expect(route).toMatchObject({ code: 0, out: expect.stringContaining('kv: goes to ') })
  } finally {
    frontend.kill('SIGTERM')
    worker.kill('SIGTERM')
    expect(await Promise.all([frontend.exited, worker.exited])).toEqual([0, 0])
  }
}, 30_000)

test('a failure of ours shows its stack, one of the user does not', async () => {
  const said: string[] = []
  expect(await report(new AppError('port_in_use', { message: 'port 8000 is taken' }), (text) => said.push(text))).toBe(1)
  expect(await report(new TypeError('x is not a function'), (text) => said.push(text))).toBe(1)
  expect(said[0]).toBe('dynamo-sglang: port 8000 is taken [port_in_use]\n')
  expect(said[1]).toContain('cli.test.ts')
})

test('the closest known word', () => {
  const known = ['--dp', '--http-port', '--speedup-ratio']
  expect(closest('--http-prot', known)).toBe('--http-port')
  expect(closest('--speedup', known)).toBeUndefined()
  expect(closest('--tp', known)).toBeUndefined()
})

test('a signal during the start ends it, and nothing is announced', async () => {
  const line = 'serve --engine mock --model-path models/tiny-llm --http-host 127.0.0.1 --http-port 0 --mock-failure slow-start=60000'
  const program = start(line.split(' '))
  const out = program.stdout.text()
  for await (const chunk of program.stderr) if (new TextDecoder().decode(chunk).includes('listening')) break
  program.kill('SIGTERM')
  expect(await program.exited).toBe(0)
  expect(await out).toBe('')
}, 30_000)

test('answers that still run when the drain time is over end with an error that says so', async () => {
  const line =
    'serve --engine mock --model-path models/tiny-llm --http-host 127.0.0.1 --http-port 0 --grace-period-secs 0 --drain-timeout-secs 0.2'
  const program = start(line.split(' '))
  const url = await found(program.stderr, /http:\/\/127\.0\.0\.1:\d+/)
  await eventually(async () => (await fetch(`${url}/health`)).ok)
  const ask = (stream: boolean) =>
    fetch(`${url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'models/tiny-llm', prompt: 'Hello', max_tokens: 1900, ignore_eos: true, stream }),
    })
  const [streamed, whole] = [(await ask(true)).text(), ask(false)]
  // The first is under way, and the second has come.
  await eventually(async () => / 2$/m.test(await (await fetch(`${url}/metrics`)).text().then(inFlight)))
  program.kill('SIGTERM')
  expect(await streamed).toMatch(/"code":"engine_unavailable"\}\}\n\ndata: \[DONE\]/)
  expect((await whole).status).toBe(503)
  expect(await program.exited).toBe(0)
}, 30_000)

const inFlight = (metrics: string) => metrics.split('\n').find((one) => one.startsWith('dynamo_frontend_inflight_requests{')) ?? ''
