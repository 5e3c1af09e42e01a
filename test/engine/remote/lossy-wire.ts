// Worker, wire and frontend in one process: the test speaks for the worker's engine and decides what the wire does to each message.
import { type RemoteEvents, remoteEvents } from '../../../src/engine/remote/kv-follow.ts'
import { type PublishedEvents, publishEvents } from '../../../src/engine/remote/kv-publish.ts'
import type { EngineEvent, KvChange } from '../../../src/engine/types.ts'
import { contentOf, pairsOf } from '../../helpers/block-names.ts'
import { scriptedInfo } from '../../helpers/fakes/scripted-engine.ts'

export const stored = (names: number[], parent: number | null = null): KvChange => ({
  kind: 'stored',
  blocks: pairsOf(...names),
  parent: parent === null ? null : pairsOf(parent),
  local: pairsOf(...names),
  tier: 'device',
})
export const removed = (names: number[]): KvChange => ({ kind: 'removed', blocks: pairsOf(...names), tier: 'device' })
export const held = (...names: number[]) => names.map((name) => `device/${name.toString(16)}`).sort()

/** A worker's engine that the test speaks for. */
function worker(dpSize = 1) {
  const listeners = new Set<(event: EngineEvent) => void>()
  const engine = {
    info: { ...scriptedInfo, dpSize, kvEvents: true, totalKvTokens: 1_000_000 },
    ready: true,
    on(listener: (event: EngineEvent) => void) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
  const tell = (event: EngineEvent) => {
    for (const listener of listeners) listener(event)
  }
  return { engine, tell, kv: (changes: KvChange[], rank = 0) => tell({ kind: 'kv', rank, seq: 0, changes }) }
}

/** Worker, wire and frontend. `pass` decides what becomes of a message: how often it arrives (0: lost). */
export function world({
  ranks = 1,
  pass = () => 1,
  dump,
}: {
  ranks?: number
  pass?: () => number
  dump?: (rank: number) => Promise<Uint8Array>
} = {}) {
  const side = worker(ranks)
  let hear: (message: Uint8Array) => void = () => {}
  const wire: Uint8Array[] = []
  const publish = (message: Uint8Array) => {
    for (let n = pass(); n > 0; n--) wire.push(message.slice())
  }
  let published: PublishedEvents = publishEvents(side.engine, publish, { beatMs: 1_000_000 })
  const asked: number[] = []
  const remote: RemoteEvents = remoteEvents({
    plane: {
      listen(_address, listener) {
        hear = listener.message
        return { close() {} }
      },
    },
    address: 'zmq://there',
    ranks,
    kv: true,
    retryMs: { first: 1, last: 2 },
    dump: (rank) => {
      asked.push(rank)
      return dump ? dump(rank) : Promise.resolve(published.dump(rank))
    },
  })
  const events: EngineEvent[] = []
  let beats = 0
  remote.subscribe((event) => events.push(event))
  return {
    ...side,
    remote,
    wire,
    asked,
    events,
    deliver(count = wire.length) {
      for (const message of wire.splice(0, count)) hear(message)
    },
    /** What the frontend believes. */
    view: (rank = 0) => contentOf(events.flatMap((event) => (event.kind === 'kv' && event.rank === rank ? event.changes : []))),
    truth: (rank = 0) => published.size(rank),
    dumpNow: (rank = 0) => published.dump(rank),
    /** The worker's process starts again: empty cache, another epoch. */
    restart() {
      published.close()
      published = publishEvents(side.engine, publish, { beatMs: 1_000_000 })
    },
    /** What the beat does: a status that shows the numbers. */
    beat: () => side.tell({ kind: 'load', rank: 0, running: beats++, waiting: 0, usedTokens: 0, totalTokens: 0 }),
  }
}

/** Lets turns and dumps finish. */
export const settle = async () => {
  for (let i = 0; i < 20; i++) await Promise.resolve()
}
