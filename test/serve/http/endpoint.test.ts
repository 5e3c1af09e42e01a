// When the line of a request is written, and what it says of an answer whose end waits for its client.
import { expect, test } from 'bun:test'
import pino from 'pino'
import type { Handler } from '../../../src/openai/call.ts'
import { endpoint } from '../../../src/serve/http/endpoint.ts'
import { defaultLimits, InFlight } from '../../../src/serve/http/limits.ts'
import { scriptedPipeline } from '../../helpers/fakes/pipeline.ts'

/** A request whose answer is whole, and then sent or not. */
async function answered(sent?: Promise<boolean>) {
  const lines: { ending: string }[] = []
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const inFlight = new InFlight(defaultLimits)
  const deps = { pipeline: scriptedPipeline(), limits: defaultLimits, state: () => 'ready' as const, log }
  const client = new AbortController()
  const handler: Handler = async (call) => {
    call.begin('m', true)
    call.outcome(sent === undefined ? {} : { sent })
    return new Response('x')
  }
  const request = { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' }, signal: client.signal }
  await endpoint('chat', '/v1/chat', handler, deps, inFlight)(new Request('http://x/v1/chat', request))
  const endings = async () => {
    await Bun.sleep(0)
    return lines.map(({ ending }) => ending)
  }
  return { leave: () => client.abort(), endings, inFlight }
}

test('an answer that is out is done at once', async () => {
  expect(await (await answered()).endings()).toEqual(['done'])
})

test.each([
  [true, 'done'],
  [false, 'disconnect'],
])('an answer that waits is no longer in flight; its line comes when it was taken: %p', async (whole, ending) => {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const { endings, inFlight } = await answered(promise)
  expect([await endings(), inFlight.count]).toEqual([[], 0])
  resolve(whole)
  expect(await endings()).toEqual([ending])
})

test('a client that leaves before anyone asks for the body has left', async () => {
  const { endings, leave } = await answered(new Promise(() => {}))
  leave()
  expect(await endings()).toEqual(['disconnect'])
})
