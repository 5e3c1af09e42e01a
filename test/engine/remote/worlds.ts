// A worker and a frontend in one process: the mock engine behind hostEngine, and remoteEngine in front of it.
import type { Engine } from '../../../src/engine/engine.ts'
import { mockEngine } from '../../../src/engine/mock/engine.ts'
import type { MockOptions } from '../../../src/engine/mock/options.ts'
import type { WorkerCard } from '../../../src/engine/remote/card.ts'
import { type RemoteEngine, remoteEngine } from '../../../src/engine/remote/engine.ts'
import { type HostExtras, hostEngine } from '../../../src/engine/remote/host.ts'
import type { EngineInfo } from '../../../src/engine/types.ts'
import type { PlaneClient, PlaneServer } from '../../../src/transport/request-plane.ts'
import type { PlaneKind } from '../../suites/plane.suite.ts'
import { options } from '../mock/world.ts'

export function cardOf(address: string, info: EngineInfo, more: Partial<WorkerCard> = {}): WorkerCard {
  return {
    id: 'worker-1',
    endpoint: 'dyn://test.backend.generate',
    address,
    events: '',
    model: {
      names: ['test'],
      path: '',
      files: {},
      contextLength: info.contextLength,
      isEmbedding: info.isEmbedding,
      engineTokenizes: false,
    },
    info,
    ready: true,
    migrationLimit: 3,
    startedAt: 0,
    ...more,
  }
}

export interface World {
  readonly mock: Engine
  readonly server: PlaneServer
  readonly remote: RemoteEngine
  close(): Promise<void>
}

/** All of it running. */
export async function startWorld(plane: PlaneKind, more: Partial<MockOptions> = {}, extras: HostExtras = {}): Promise<World> {
  const mock = mockEngine(options({ version: '1', ...more }))
  await mock.start()
  const server = await plane.serve(hostEngine(mock, extras))
  const remote = remoteEngine({ card: cardOf(server.address, mock.info), client: plane.connect(server.address) })
  await remote.start()
  return {
    mock,
    server,
    remote,
    async close() {
      await remote.stop(0)
      await server.close()
      await mock.stop(0)
    },
  }
}

/** The same as an Engine for the shared suites: nothing exists before `start`. */
export function engineOver(plane: PlaneKind, more: Partial<MockOptions>): Engine {
  const mock = mockEngine(options({ version: '1', ...more }))
  let parts: { server: PlaneServer; remote: RemoteEngine } | undefined
  const listeners: Parameters<Engine['on']>[0][] = []
  const unmade = () => remoteEngine({ card: cardOf('', mock.info), client: absent })
  const remote = () => parts?.remote ?? unmade()
  return {
    get info() {
      return remote().info
    },
    get ready() {
      return remote().ready
    },
    async start() {
      await mock.start()
      const server = await plane.serve(hostEngine(mock))
      const made = remoteEngine({ card: cardOf(server.address, mock.info), client: plane.connect(server.address) })
      for (const listener of listeners) made.on(listener)
      parts = { server, remote: made }
      return made.start()
    },
    generate: (request, sink, signal) => remote().generate(request, sink, signal),
    embed: (request, signal) => remote().embed(request, signal),
    control: (name, args) => remote().control(name, args),
    metrics: () => remote().metrics(),
    // A request is gone only when it is gone on both sides.
    inFlight: () => remote().inFlight() + mock.inFlight(),
    on(listener) {
      listeners.push(listener)
      return parts === undefined ? () => {} : parts.remote.on(listener)
    },
    async stop(deadlineMs) {
      await parts?.remote.stop(deadlineMs)
      await parts?.server.close()
      await mock.stop(0)
    },
  }
}

const absent: PlaneClient = {
  connected: false,
  open() {
    throw new Error('no connection')
  },
  onState: () => () => {},
  close() {},
}
