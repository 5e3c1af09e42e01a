// How the first node of a model hears the KV events of the others: over real planes, with discovery in memory.
import { afterEach, expect, test } from 'bun:test'
import { createBoard, staticDiscovery } from '../../../src/discovery/static.ts'
import type { SglangNode } from '../../../src/engine/sglang/node/engine.ts'
import { leadingEngine } from '../../../src/engine/sglang/node/leading.ts'
import type { EngineEvent, KvChange } from '../../../src/engine/types.ts'
import { openPlanes } from '../../../src/serve/fleet/planes.ts'
import type { EngineOptions } from '../../../src/serve/options.ts'
import { followNodes, hostNode } from '../../../src/serve/worker/node-card.ts'
import { scriptedEngine, scriptedInfo } from '../../helpers/fakes/scripted-engine.ts'
import { until } from '../../helpers/run-request.ts'

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const info = { ...scriptedInfo, dpSize: 2, kvEvents: true }
const stored = (name: number): KvChange => {
  const pair = Uint32Array.of(name, 0)
  return { kind: 'stored', blocks: pair, parent: null, local: pair, tier: 'device' } as unknown as KvChange
}

/** A node whose events the test decides. */
function fakeNode(ranks: number[]) {
  const listeners = new Set<(event: EngineEvent) => void>()
  const node = {
    ...scriptedEngine(),
    info,
    ranks,
    on(listener: (event: EngineEvent) => void) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
  const tell = (event: EngineEvent) => {
    for (const listener of listeners) listener(event)
  }
  return { node: node as unknown as SglangNode, tell }
}

async function planes() {
  const opened = await openPlanes(
    {
      request: 'tcp',
      events: 'zmq',
      tcp: { bind: '127.0.0.1', host: '127.0.0.1', port: 0, secret: undefined },
      zmq: { bind: '127.0.0.1', host: '127.0.0.1', port: 0 },
      nats: undefined,
    },
    'n',
  )
  closing.push(() => opened.close())
  return opened
}

async function leader(group: string, board: ReturnType<typeof createBoard>) {
  const engine = leadingEngine({ ...scriptedEngine(), info })
  const heard: EngineEvent[] = []
  engine.on((event) => heard.push(event))
  const options = { kind: 'sglang', nodes: { rank: 0, group } } as unknown as EngineOptions
  const following = await followNodes(engine, options, await planes(), staticDiscovery(board), 'n')
  closing.push(() => following.close())
  return heard
}

async function host(ranks: number[], group: string, board: ReturnType<typeof createBoard>) {
  const { node, tell } = fakeNode(ranks)
  const hosted = await hostNode({ id: `node-${group}`, node, rank: 1, group, namespace: 'n' }, await planes(), staticDiscovery(board))
  closing.push(() => hosted.close())
  return { tell, hosted }
}

const changesOf = (heard: EngineEvent[], rank: number) =>
  heard.flatMap((event) => (event.kind === 'kv' && event.rank === rank ? event.changes : []))

test("what a node's ranks hold, and what changes there, are events of the first node's engine", async () => {
  const board = createBoard()
  const { tell } = await host([1], 'a:1', board)
  tell({ kind: 'kv', rank: 1, seq: 0, changes: [stored(11)] })
  const heard = await leader('a:1', board)
  await until('what was there is told', () => changesOf(heard, 1).some((change) => change.kind === 'stored'))
  tell({ kind: 'kv', rank: 1, seq: 1, changes: [stored(12)] })
  await until('what came is told', () => changesOf(heard, 1).filter((change) => change.kind === 'stored').length === 2)
  tell({ kind: 'load', rank: 1, running: 1, waiting: 0, usedTokens: 1, totalTokens: 9 })
  await Bun.sleep(50)
  expect(changesOf(heard, 0)).toEqual([])
  expect(heard.every((event) => event.kind === 'kv')).toBe(true)
})

test('a node that leaves leaves no blocks behind', async () => {
  const board = createBoard()
  const heard = await leader('a:1', board)
  const { tell, hosted } = await host([1], 'a:1', board)
  tell({ kind: 'kv', rank: 1, seq: 0, changes: [stored(11)] })
  await until('it is told', () => changesOf(heard, 1).some((change) => change.kind === 'stored'))
  await hosted.close()
  await until('it is void', () => changesOf(heard, 1).at(-1)?.kind === 'cleared')
})

test('nodes of another group are not ours', async () => {
  const board = createBoard()
  const heard = await leader('a:1', board)
  const { tell } = await host([1], 'b:1', board)
  tell({ kind: 'kv', rank: 1, seq: 0, changes: [stored(11)] })
  await Bun.sleep(300)
  expect(heard).toEqual([])
})
