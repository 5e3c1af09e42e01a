// What `serve` does with the answers of a copy that dies: only another copy can go on with them at once.
import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { programOf } from '../../../src/engine/process-group.ts'
import { fakePython } from '../../helpers/fakes/fake-python.ts'
import { descendants } from '../../helpers/processes/sglang-fleet.ts'
import { start } from '../../helpers/processes/start.ts'
import { sseEvents } from '../../helpers/sse.ts'

const folder = mkdtempSync(join(tmpdir(), 'local-'))
const python = fakePython(folder)
afterAll(() => rmSync(folder, { recursive: true }))

interface Event {
  choices?: { finish_reason: string | null }[]
  error?: { code: string }
}

/** The last event of a stream whose engine is killed amid it. The engine is back within a tenth of a second: whoever waits for it is served. */
async function killedAmid(workers: number): Promise<{ last: Event; output: string }> {
  const model = 'models/tiny-llm'
  const server = await start({
    command: [
      'serve',
      '--http-host',
      '127.0.0.1',
      '--http-port',
      '{port}',
      '--workers',
      String(workers),
      '--python',
      python,
      '--model-path',
      model,
    ],
  })
  try {
    const stream = await fetch(`${server.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model, prompt: [21, 22, 23], max_tokens: 1900, ignore_eos: true, stream: true }),
    })
    const copy = stream.headers.get('x-worker-id')?.split('-')[1]
    const ofCopy = (pid: number) => workers === 1 || programOf(pid).includes(`--base-gpu-id ${copy} `)
    const events: Event[] = []
    for await (const event of sseEvents(stream.body!)) {
      if (event !== '[DONE]') events.push(JSON.parse(event))
      if (events.length === 20) process.kill(descendants(server.pid).find(ofCopy)!, 'SIGKILL')
    }
    return { last: events.at(-1)!, output: server.output() }
  } finally {
    await server.stop()
  }
}

test('the only copy dies: its answers end with an error, though it comes back', async () => {
  const { last } = await killedAmid(1)
  expect(last.error?.code).toBe('engine_failed')
})

test('one copy of two dies: the other goes on with its answers', async () => {
  const { last, output } = await killedAmid(2)
  expect(last.choices?.[0]?.finish_reason).toBe('length')
  expect(output).toContain('answer continued')
})
