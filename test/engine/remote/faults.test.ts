// What a remote engine does when its worker, the connection or the caller fails.
import { afterEach, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import type { Engine } from '../../../src/engine/engine.ts'
import { remoteEngine } from '../../../src/engine/remote/engine.ts'
import { hostEngine } from '../../../src/engine/remote/host.ts'
import type { EngineEvent } from '../../../src/engine/types.ts'
import { AppError } from '../../../src/lib/errors.ts'
import { tcpClient } from '../../../src/transport/tcp/client.ts'
import { tcpServer } from '../../../src/transport/tcp/server.ts'
import { requestOf, runRequest, until } from '../../helpers/run-request.ts'
import type { PlaneKind } from '../../suites/plane.suite.ts'
import { started } from '../mock/world.ts'
import { cardOf, startWorld } from './worlds.ts'

const tcp: PlaneKind = { serve: async (service) => tcpServer(service), connect: (address) => tcpClient(address) }
const prompt = [5, 6, 7]
const long = { max_new_tokens: 400, ignore_eos: true }

const cleanup: (() => unknown)[] = []
afterEach(async () => {
  for (const step of cleanup.splice(0).reverse()) await step()
})

async function world(...more: Parameters<typeof startWorld> extends [unknown, ...infer Rest] ? Rest : never) {
  const made = await startWorld(tcp, ...more)
  cleanup.push(() => made.close())
  return made
}

/** A worker process and an engine in front of it. */
async function worker(speed: number) {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, 'worker-process.ts'), String(speed)], {
    stdout: 'pipe',
    stderr: 'ignore',
  })
  cleanup.push(() => child.kill('SIGKILL'))
  const { value } = await child.stdout.getReader().read()
  const address = new TextDecoder().decode(value).trim()
  const local = await started({ version: '1' })
  const remote = remoteEngine({ card: cardOf(address, local.info), client: tcpClient(address) })
  cleanup.push(() => remote.stop(0))
  await remote.start()
  return { child, remote, local }
}

describe('a remote engine', () => {
  test('a worker killed in mid-stream: all its answers fail so that they can continue elsewhere, none hangs, none is wrong', async () => {
    const { child, remote, local } = await worker(2)
    const events: EngineEvent[] = []
    remote.on((event) => events.push(event))
    let tokens = 0
    const running = Array.from({ length: 30 }, (_, i) =>
      runRequest(remote, requestOf([...prompt, i], long), undefined, () => {
        tokens++
      }),
    )
    await until('they run', () => tokens > 200)
    child.kill('SIGKILL')
    const all = await Promise.all(running)
    expect(remote.ready).toBe(false)
    expect(remote.inFlight()).toBe(0)
    expect(events).toMatchObject([{ kind: 'state', ready: false }])
    for (const [i, ran] of all.entries()) {
      expect(ran.error).toMatchObject({ code: 'engine_unavailable' })
      const whole = await runRequest(local, requestOf([...prompt, i], long))
      expect(ran.ids).toEqual(whole.ids.slice(0, ran.ids.length))
    }
    expect((await runRequest(remote, requestOf(prompt))).error).toMatchObject({ code: 'engine_unavailable', retryAfterSecs: 1 })
  }, 20_000)

  test('a caller that is gone frees its requests in the worker', async () => {
    const { mock, server, remote } = await world({ speedupRatio: 1 })
    const other = remoteEngine({ card: cardOf(server.address, mock.info), client: tcpClient(server.address) })
    await other.start()
    const running = Array.from({ length: 10 }, () => runRequest(other, requestOf(prompt, { max_new_tokens: 5000, ignore_eos: true })))
    await until('they run', () => mock.inFlight() === 10)
    await other.stop(0)
    for (const ran of await Promise.all(running)) expect(ran.error).toMatchObject({ code: 'engine_unavailable' })
    await until('the worker let go', () => mock.inFlight() === 0)
    expect(remote.ready).toBe(true)
  })

  test('a worker that ignores an abort: the answer ends after a second all the same', async () => {
    const mock = await started()
    const deaf: Engine = Object.assign(Object.create(mock), { generate: () => new Promise<void>(() => {}) })
    const server = tcpServer(hostEngine(deaf))
    const remote = remoteEngine({ card: cardOf(server.address, mock.info), client: tcpClient(server.address) })
    cleanup.push(
      () => server.close(),
      () => remote.stop(0),
    )
    await remote.start()
    const ran = await runRequest(remote, requestOf(prompt), AbortSignal.timeout(20))
    expect(ran.finish).toMatchObject({ kind: 'abort' })
    expect(remote.inFlight()).toBe(1)
  })

  test('a draining worker lets what runs finish and refuses what is new', async () => {
    let draining = false
    const { remote } = await world({ speedupRatio: 5 }, { draining: () => draining })
    const running = runRequest(remote, requestOf(prompt, { max_new_tokens: 40, ignore_eos: true }), undefined, () => {
      draining = true
    })
    await until('it runs', () => draining)
    expect((await runRequest(remote, requestOf(prompt))).error).toMatchObject({ code: 'shutting_down', status: 503 })
    expect(await remote.metrics()).toContain('sglang:')
    expect((await running).ids.length).toBe(40)
  })

  test('the card says when it takes no requests', async () => {
    const { mock, server, remote } = await world()
    const states: boolean[] = []
    remote.on((event) => event.kind === 'state' && states.push(event.ready))
    remote.update(cardOf(server.address, mock.info, { ready: false }))
    expect((await runRequest(remote, requestOf(prompt))).error).toMatchObject({ code: 'engine_unavailable' })
    remote.update(cardOf(server.address, { ...mock.info, contextLength: 77 }, { ready: true }))
    expect((await runRequest(remote, requestOf(prompt))).finish).toEqual({ kind: 'length' })
    expect(remote.info.contextLength).toBe(77)
    expect(states).toEqual([false, true])
  })

  test('refusals and failures of the engine keep their code, status and message', async () => {
    const refusing = await world({ failure: 'refuse=1' })
    const direct = await runRequest(refusing.mock, requestOf(prompt))
    expect((await runRequest(refusing.remote, requestOf(prompt))).finish).toEqual(direct.finish!)
    const crashing = await world({ speedupRatio: 5, failure: 'crash-after=20,restart=1000000' })
    expect((await runRequest(crashing.remote, requestOf(prompt, long))).error).toMatchObject({ code: 'engine_failed' })
    const error = await refusing.mock.control('no_such', {}).catch((thrown: AppError) => thrown as AppError)
    const { code, status, message } = error as AppError
    await expect(refusing.remote.control('no_such', {})).rejects.toMatchObject({ code, status, message })
  })

  test('named calls: values, bytes, failures, unknown names, an abort', async () => {
    const calls = {
      add: async ({ a, b }: Record<string, unknown>) => Number(a) + Number(b),
      bytes: async () => ({ bytes: new Uint8Array(2_000_000).fill(7), end: true }),
      fail: async () => {
        throw new AppError('invalid_value', { message: 'no such rank', param: 'rank' })
      },
      never: () => new Promise(() => {}),
    }
    const { remote } = await world({}, { calls })
    expect(await remote.call('add', { a: 2, b: 3 })).toBe(5)
    const { bytes } = (await remote.call('bytes', {})) as { bytes: Uint8Array }
    expect([bytes.length, bytes[0], bytes.at(-1)]).toEqual([2_000_000, 7, 7])
    await expect(remote.call('fail', {})).rejects.toMatchObject({ code: 'invalid_value', message: 'no such rank', param: 'rank' })
    await expect(remote.call('constructor', {})).rejects.toMatchObject({ code: 'engine_rejected' })
    await expect(remote.call('never', {}, AbortSignal.timeout(10))).rejects.toMatchObject({ code: 'client_closed_request' })
    expect(remote.inFlight()).toBe(0)
  })

  test('each listener follows the events of the worker until it ends or the engine stops', async () => {
    const { mock, server } = await world()
    const listeners = new Set<(event: EngineEvent) => void>()
    const events = {
      subscribe(listener: (event: EngineEvent) => void) {
        listeners.add(listener)
        return { close: () => listeners.delete(listener) }
      },
    }
    const remote = remoteEngine({ card: cardOf(server.address, mock.info), client: tcpClient(server.address), events })
    expect(listeners.size).toBe(0)
    const seen: EngineEvent[] = []
    remote.on((event) => seen.push(event))
    const end = remote.on(() => {})
    expect(listeners.size).toBe(2)
    end()
    for (const tell of listeners) tell({ kind: 'kv', rank: 0, seq: 1, changes: [{ kind: 'cleared' }] })
    expect(seen).toEqual([{ kind: 'kv', rank: 0, seq: 1, changes: [{ kind: 'cleared' }] }])
    expect(listeners.size).toBe(1)
    await remote.stop(0)
    expect(listeners.size).toBe(0)
  })

  test('start says why when nobody is there', async () => {
    const client = tcpClient('tcp://127.0.0.1:9')
    const remote = remoteEngine({ card: cardOf('tcp://127.0.0.1:9', (await started()).info), client, startMs: 300 })
    cleanup.push(() => remote.stop(0))
    await expect(remote.start()).rejects.toMatchObject({ code: 'engine_unavailable', message: expect.stringContaining('no connection') })
  })
})
