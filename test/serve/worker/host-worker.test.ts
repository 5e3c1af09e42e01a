// What a worker opens to be seen is closed again when a later step fails.
import { expect, test } from 'bun:test'
import { join } from 'node:path'
import type { Discovery } from '../../../src/discovery/discovery.ts'
import { joinPeers } from '../../../src/serve/fleet/peers.ts'
import type { Planes } from '../../../src/serve/fleet/planes.ts'
import { loadModelFiles } from '../../../src/serve/load-model.ts'
import type { ModelOptions } from '../../../src/serve/options.ts'
import { hostWorker } from '../../../src/serve/worker/host-worker.ts'
import { scriptedEngine } from '../../helpers/fakes/scripted-engine.ts'

const path = join(import.meta.dir, '../../../models/tiny-llm')
const model = {
  path,
  servedNames: [],
  tokenizerPath: undefined,
  customTemplate: undefined,
  tokenizerCacheBytes: 0,
} as unknown as ModelOptions

/** Planes that remember what is open. */
function planesOf(serve: 'works' | 'fails') {
  const open = new Set<string>()
  const events = {
    async publisher() {
      open.add('publisher')
      return { address: 'zmq://x:1', publish() {}, close: () => open.delete('publisher') }
    },
  }
  const planes = {
    events,
    async serve() {
      if (serve === 'fails') throw new Error('the port is taken')
      open.add('server')
      return { address: 'tcp://x:2', close: async () => void open.delete('server') }
    },
  } as unknown as Planes
  return { planes, open }
}
const discovery = (works: boolean) =>
  ({
    announce: async () => {
      if (!works) throw new Error('wrong rights')
      return { update: async () => {}, withdraw: async () => {} }
    },
  }) as unknown as Discovery

async function host(planes: Planes, shown: Discovery) {
  const files = await loadModelFiles(path, model)
  const engine = scriptedEngine()
  return hostWorker(
    { id: 'w', engine, names: ['m'], files, model, endpoint: 'dyn://a.b.c', namespace: 'a', migrationLimit: 3 },
    planes,
    shown,
  )
}

test('a worker that is shown holds its port and its publisher until it is closed', async () => {
  const { planes, open } = planesOf('works')
  const hosted = await host(planes, discovery(true))
  expect([...open]).toEqual(['publisher', 'server'])
  await hosted.close()
  expect([...open]).toEqual([])
})

test.each([
  ['the port cannot be had', 'fails', true],
  ['the card cannot be shown', 'works', false],
] as const)('%s: nothing stays open', async (_, serve, shown) => {
  const { planes, open } = planesOf(serve)
  await expect(host(planes, discovery(shown))).rejects.toThrow()
  expect([...open]).toEqual([])
})

test('a frontend whose card cannot be shown closes its publisher', async () => {
  const { planes, open } = planesOf('works')
  await expect(joinPeers(planes.events, discovery(false), 'a', 'f')).rejects.toThrow('wrong rights')
  expect([...open]).toEqual([])
})
