import { describe, expect, test } from 'bun:test'
import { script } from '../../src/cli/example.ts'
import { examples, notYet } from '../../src/cli/examples.ts'
import { parseSettings } from '../../src/cli/settings/parse-settings.ts'
import { eventually, run, start } from './program.ts'

test('the list names every example', async () => {
  const { code, out } = await run(['example'])
  expect(code).toBe(0)
  for (const { name, about } of examples) expect(out).toContain(`${name.padEnd(11)}${about}`)
})

test('--print shows commands that can be pasted', async () => {
  const { out } = await run(['example', 'agg', '--print', '--http-port', '9000'])
  expect(out).toContain('\ndynamo-sglang serve --model-path Qwen/Qwen3-0.6B --http-port 9000\n')
  expect(out).toContain('curl localhost:9000/v1/chat/completions')
  expect((await run(['example', 'mock', '--print', '--http-port=9001'])).out).toContain('curl localhost:9001/v1/models')
  expect((await run(['example', 'mock', '--print'])).out).toContain('curl localhost:8000/v1/models')
})

test("the documents' script names work too", async () => {
  expect((await run(['example', './launch/agg.sh', '--print'])).code).toBe(0)
})

test('what later versions bring is said so; what is unknown gets the list', async () => {
  expect(await run(['example', notYet[0]!])).toMatchObject({ code: 2, err: expect.stringContaining('not in this version yet') })
  expect(await run(['example', 'nope'])).toMatchObject({ code: 2, err: expect.stringContaining('agg, agg_embed') })
})

test('compose is a compose file', async () => {
  const { out } = await run(['example', 'compose'])
  expect(Object.keys((Bun.YAML.parse(out) as { services: object }).services)).toEqual(['etcd', 'nats'])
})

describe('every process of every example', () => {
  const commands = examples.flatMap((example) => example.processes.map((process) => [example.name, process.args] as const))
  test.each(commands)('%s has a command line we accept', (_, [command, ...args]) => {
    expect(() => parseSettings(args, {}, command as 'serve')).not.toThrow()
  })
})

test('words with spaces are quoted', () => {
  expect(script({ name: 'x', about: 'y', processes: [{ name: 'z', args: ['serve', "it's"] }] }, [])).toContain("serve 'it'\\''s'")
})

test('an example runs until a signal ends all of its processes', async () => {
  const port = 20_000 + (process.pid % 10_000)
  const program = start(['example', 'mock', '--http-host', '127.0.0.1', '--http-port', String(port), '--grace-period-secs', '0'])
  await eventually(async () => (await fetch(`http://127.0.0.1:${port}/live`)).ok)
  program.kill('SIGTERM')
  expect(await program.exited).toBe(0)
  await expect(fetch(`http://127.0.0.1:${port}/live`)).rejects.toThrow()
})
