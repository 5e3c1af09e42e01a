// A node that takes no requests, over a fake bridge: what it answers, how it comes back, and that it stays away once it is retired.
import { afterAll, afterEach, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type SglangNode, sglangNode } from '../../../src/engine/sglang/node/engine.ts'
import { leadingEngine } from '../../../src/engine/sglang/node/leading.ts'
import type { EngineEvent } from '../../../src/engine/types.ts'
import { fakePython } from '../../helpers/fakes/fake-python.ts'
import { scriptedEngine } from '../../helpers/fakes/scripted-engine.ts'
import { requestOf, runRequest, until } from '../../helpers/run-request.ts'

const folder = mkdtempSync(join(tmpdir(), 'nodes-'))
const python = fakePython(folder)
const live: SglangNode[] = []
afterEach(() => Promise.all(live.splice(0).map((node) => node.stop())))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function make(args: string[] = []) {
  const states: (EngineEvent & { kind: 'state' })[] = []
  const env = { PATH: process.env.PATH! }
  const node = sglangNode({ python, args: ['--node-rank', '1', '--dp-size', '2', ...args], env, cacheDir: join(folder, 'cache') })
  node.on((event) => event.kind === 'state' && states.push(event))
  live.push(node)
  return { node, states }
}

test('it tells what it is and takes no requests', async () => {
  const { node, states } = make()
  const info = await node.start()
  expect([node.ready, info.dpSize, info.kvEvents, node.ranks]).toEqual([true, 2, false, []])
  expect(states.at(-1)?.reason).toContain('works as node 1')
  const ran = await runRequest(node, requestOf([5, 6]))
  expect(ran.error).toMatchObject({ code: 'engine_unavailable' })
  expect(node.embed({ requestId: 'e', promptIds: Uint32Array.of(1) })).rejects.toMatchObject({ code: 'engine_unavailable' })
})

test('calls about itself are answered', async () => {
  const { node } = make()
  await node.start()
  expect(await node.control('echo', { a: 1 })).toEqual({ a: 1 })
  expect(node.control('flush_cache', {})).rejects.toMatchObject({ code: 'route_not_found' })
})

test('when its processes die it comes back by itself', async () => {
  const { node, states } = make()
  await node.start()
  process.kill(node.pids[0]!, 'SIGKILL')
  await until('down', () => !node.ready)
  await until('up again', () => node.ready)
  expect(states.filter((event) => event.ready).length).toBe(2)
})

test('once retired it stays away', async () => {
  const { node } = make()
  await node.start()
  node.retire()
  process.kill(node.pids[0]!, 'SIGKILL')
  await until('down', () => !node.ready)
  await Bun.sleep(300)
  expect(node.ready).toBe(false)
})

test('a start that fails says why', async () => {
  const fatal = JSON.stringify({ code: 'start_failed', message: 'no rendezvous at 10.0.0.1:5000' })
  expect(make(['--fatal', fatal]).node.start()).rejects.toThrow('no rendezvous')
})

test('the first node: what is told of others reaches its listeners as its own, until they leave', () => {
  const engine = leadingEngine(scriptedEngine())
  const heard: EngineEvent[] = []
  const off = engine.on((event) => heard.push(event))
  const event: EngineEvent = { kind: 'kv', rank: 1, seq: 0, changes: [{ kind: 'cleared' }] }
  engine.tell(event)
  off()
  engine.tell(event)
  expect(heard).toEqual([event])
})
