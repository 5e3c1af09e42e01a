// The official PyPI client against the running product: test/interop/openai_client.py does the asking.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { need } from '../helpers/need.ts'
import { model } from '../helpers/openai.ts'
import { idle, type Started, start } from '../helpers/processes/start.ts'
import { pythonWith, run } from '../helpers/python.ts'

const python = pythonWith('openai')
const names = (
  'chat stream_equals_whole stream_helper tools_pass_through parse_json_schema logprobs choices completions extra_body models ' +
  'error_classes cancel_sync_stream cancel_async'
).split(' ')

describe.if(need('a python with openai (bun run sglang:setup)', python !== undefined))('openai for Python', () => {
  let server: Started
  let outcomes: Record<string, true | string> = {}
  beforeAll(async () => {
    server = await start()
    const { code, stdout, stderr } = await run([python!, join(import.meta.dir, 'openai_client.py'), `${server.url}/v1`, model], 120_000)
    if (code !== 0) throw new Error(stderr)
    outcomes = JSON.parse(stdout)
  }, 180_000)
  afterAll(() => server?.stop())

  test.each(names)('%s', (name) => expect(outcomes[name]).toBe(true))
  test('nothing else was checked, nothing is left running', async () => {
    expect(Object.keys(outcomes)).toEqual(names)
    await idle(server)
  })
})
