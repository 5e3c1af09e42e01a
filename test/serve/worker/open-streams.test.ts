// What a worker's end waits for: streams that were opened and have not ended.
import { expect, test } from 'bun:test'
import { AppError } from '../../../src/lib/errors.ts'
import { countOpen } from '../../../src/serve/worker/open-streams.ts'
import type { IncomingStream } from '../../../src/transport/request-plane.ts'

test('streams count from their opening until they are ended or failed, once; some do not count', () => {
  const opened: IncomingStream[] = []
  const said: string[] = []
  let changes = 0
  const { service, open } = countOpen((_, stream) => void opened.push(stream), {
    counts: ([kind]) => kind !== 9,
    changed: () => changes++,
  })
  const { signal } = new AbortController()
  const stream = { signal, send: () => {}, end: () => said.push('end'), fail: ({ code }: AppError) => said.push(code) }
  for (const kind of [1, 2, 9]) service(Uint8Array.of(kind), stream)
  expect([open(), changes, opened[0]!.signal]).toEqual([2, 2, signal])
  opened[0]!.end()
  opened[0]!.end()
  opened[1]!.fail(new AppError('engine_failed', { message: 'no' }))
  opened[2]!.end()
  expect([open(), changes]).toEqual([0, 4])
  expect(said).toEqual(['end', 'end', 'engine_failed', 'end'])
})
