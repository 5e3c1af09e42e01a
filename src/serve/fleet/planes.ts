// The planes that the settings name, opened once a process. Code and client libraries of the others are not loaded.
import type { NatsConnection } from '@nats-io/transport-node'
import type { EventPlane } from '../../transport/event-plane.ts'
import type { PlaneClient, PlaneServer, PlaneService } from '../../transport/request-plane.ts'
import type { PlaneOptions } from '../options.ts'

export interface Planes {
  readonly events: EventPlane
  /** Answers requests of frontends. */
  serve(service: PlaneService): Promise<PlaneServer>
  /** A connection to the worker at `address` (from its card). Throws AppError `invalid_value` when its plane is not ours. */
  connect(address: string): PlaneClient
  close(): Promise<void>
}

/** Rejects with `invalid_setting` or `engine_unavailable` naming what cannot be reached. */
export async function openPlanes(options: PlaneOptions, namespace: string): Promise<Planes> {
  const connection =
    options.nats === undefined
      ? undefined
      : await (await import('../../transport/nats/connection.ts')).connectNats(options.nats, `dynamo-sglang ${namespace}`)
  const prefix = `dynamo-sglang.${namespace.replaceAll(/[^A-Za-z0-9_-]/g, '-')}`
  const events = await openEvents(options, connection, prefix)
  const requests = options.request === 'tcp' ? await tcpPlane(options) : await natsPlane(connection!, prefix, options.tcp.secret)
  return {
    ...requests,
    events,
    async close() {
      await events.close()
      await connection?.close()
    },
  }
}

async function openEvents({ events, zmq }: PlaneOptions, connection: NatsConnection | undefined, prefix: string): Promise<EventPlane> {
  if (events === 'nats') return (await import('../../transport/nats-events.ts')).natsEvents(connection!, prefix)
  return (await import('../../transport/zmq-events.ts')).zmqEvents({ host: zmq.bind, advertisedHost: zmq.host, port: zmq.port })
}

async function tcpPlane({ tcp }: PlaneOptions): Promise<Pick<Planes, 'serve' | 'connect'>> {
  const { tcpServer } = await import('../../transport/tcp/server.ts')
  const { tcpClient } = await import('../../transport/tcp/client.ts')
  const { bind, host, port, secret } = tcp
  return {
    serve: async (service) => tcpServer(service, { host: bind, advertisedHost: host, port, secret }),
    connect: (address) => tcpClient(address, { secret }),
  }
}

async function natsPlane(
  connection: NatsConnection,
  prefix: string,
  secret: string | undefined,
): Promise<Pick<Planes, 'serve' | 'connect'>> {
  const { natsClient } = await import('../../transport/nats/client.ts')
  const { natsServer } = await import('../../transport/nats/server.ts')
  return {
    serve: (service) => natsServer(connection, service, { prefix: `${prefix}.worker`, secret }),
    connect: (address) => natsClient(connection, address, { secret }),
  }
}
