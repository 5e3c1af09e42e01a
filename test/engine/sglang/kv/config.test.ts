// What the bridge adds to SGLang's arguments so that it publishes KV events: only when asked, never over what its user said. Needs no SGLang.
import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { unpackBridge } from '../../../../src/engine/sglang/launch/bridge-files.ts'
import { need } from '../../../helpers/need.ts'

const python = Bun.which('python3')
const folder = mkdtempSync(join(tmpdir(), 'kv-config-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Runs `code` with `kv_events` and `argv` at hand; what it prints is JSON. */
async function ask(code: string, argv: string[], asked = '1'): Promise<unknown> {
  const bridge = await unpackBridge(folder)
  const program = [
    'import json, os, sys',
    `sys.path.insert(0, ${JSON.stringify(dirname(bridge))})`,
    'from dsgl_bridge.facts import kv_events',
    `argv = json.loads(${JSON.stringify(JSON.stringify(argv))})`,
    code,
  ].join('\n')
  const ran = Bun.spawnSync([python!, '-c', program], { env: { PATH: process.env.PATH!, DSGL_KV_EVENTS: asked } })
  expect(ran.stderr.toString()).not.toContain('Traceback')
  return JSON.parse(ran.stdout.toString())
}

const added = (argv: string[], asked?: string) =>
  ask("print(json.dumps(kv_events.with_events(argv, '/run/x')))", argv, asked) as Promise<string[]>

describe.skipIf(!need('python3', python !== null))('kv events', () => {
  test('one rank: unix sockets in our own folder', async () => {
    const args = await added(['--model-path', 'm'])
    expect(args.slice(0, 3)).toEqual(['--model-path', 'm', '--kv-events-config'])
    expect(JSON.parse(args[3]!)).toEqual({
      publisher: 'zmq',
      topic: 'kv-events',
      buffer_steps: 10_000,
      format: 'dynamo',
      endpoint: 'ipc:///run/x/kv',
      replay_endpoint: 'ipc:///run/x/kv-old',
    })
  })

  test.each(['--dp-size 3', '--dp=3', '--data-parallel-size 3'])('ranks have ports in a row: %s', async (flags) => {
    const { endpoint, replay_endpoint } = JSON.parse((await added(flags.split(' '))).at(-1)!)
    const [port, replay] = [endpoint, replay_endpoint].map((address) => Number(address.split(':').at(-1)))
    expect([replay! - port!, port! >= 20_000, replay! + 3 < 32_768]).toEqual([3, true, true])
  })

  test.each([
    [['--kv-events-config', '{}'], '1'],
    [['--kv-events-config={}'], '1'],
    [['--disable-radix-cache'], '1'],
    [[], ''],
  ])('nothing is added: %j, asked %j', async (argv, asked) => {
    expect(await added(argv, asked)).toEqual(argv)
  })

  /** How SGLang's parser is called; `fails` is what it does about page sizes. */
  const parsed = (argv: string[], fails = 'False', asked = '1') =>
    ask(
      [
        'calls = []',
        'def parse(argv):',
        '    calls.append([word for word in argv if "page" in word or word.isdigit()])',
        `    assert not (${fails} and "--page-size" in argv), "no pages here"`,
        "kv_events.parsed(parse, kv_events.with_events(argv, '/run/x'))",
        'print(json.dumps(calls))',
      ].join('\n'),
      argv,
      asked,
    )

  test('pages have 16 tokens, unless the user says otherwise or the model takes none', async () => {
    expect(await parsed([])).toEqual([['--page-size', '16']])
    expect(await parsed([], 'True')).toEqual([['--page-size', '16'], []])
    expect(await parsed(['--page-size', '64'])).toEqual([['--page-size', '64']])
    expect(await parsed(['--kv-events-config', '{}'])).toEqual([[]])
    expect(await parsed([], 'False', '')).toEqual([[]])
  })
})
