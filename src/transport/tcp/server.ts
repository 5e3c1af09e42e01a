// The request plane over TCP, answering side: a listener whose connections each serve many streams.
import { AppError } from '../../lib/errors.ts'
import { log } from '../../lib/log.ts'
import { Answerer } from '../plane/answerer.ts'
import { refusal } from '../plane/hello.ts'
import type { PlaneServer, PlaneService } from '../request-plane.ts'
import { formatTcpAddress, reachableHost } from './address.ts'
import { socketLink } from './socket-link.ts'

export interface TcpServerOptions {
  /** Default 127.0.0.1: reachable from this machine only. */
  readonly host?: string | undefined
  /** Default: a free one. */
  readonly port?: number | undefined
  /** The host that is told to others; default: `host`, or this machine's address when that is all of them. */
  readonly advertisedHost?: string | undefined
  /** Clients must know it. Set one wherever others can reach the port. */
  readonly secret?: string | undefined
  /** Bytes of one stream that may wait for a client that does not read. Default 4 MiB. */
  readonly maxStreamBytes?: number | undefined
  /** The same for all streams of a connection. Default 64 MiB. */
  readonly maxHeldBytes?: number | undefined
}

/** Listens. Throws AppError `port_in_use`. Its `address` names this very server: who comes back to another one at the same port is refused. */
export function tcpServer(service: PlaneService, options: TcpServerOptions = {}): PlaneServer {
  const { host = '127.0.0.1', secret, maxStreamBytes, maxHeldBytes } = options
  const instance = crypto.randomUUID().slice(0, 8)
  const answerers = new Set<Answerer>()
  const accept = (socket: Bun.Socket<Connection>) => {
    socket.setNoDelay(true)
    const answerer = new Answerer(socketLink(socket), { service, instance, secret, maxStreamBytes, maxHeldBytes }, (error) => {
      answerers.delete(answerer)
      log.debug({ peer: socket.remoteAddress, reason: error.message }, 'request plane connection ended')
    })
    answerers.add(answerer)
    socket.data = { answerer }
  }
  const listener = listen(host, options.port ?? 0, {
    open: accept,
    data: (socket, chunk) => socket.data.answerer.channel.received(chunk),
    drain: (socket) => socket.data.answerer.channel.drained(),
    end: (socket) => void socket.end(),
    close: (socket) => socket.data.answerer.channel.lost(refusal('it closed the connection')),
    error: (socket) => socket.data.answerer.channel.lost(refusal('the connection broke')),
  })
  return {
    address: formatTcpAddress({ host: options.advertisedHost ?? reachableHost(host), port: listener.port, instance }),
    async close() {
      listener.stop(false)
      const stopping = new AppError('shutting_down', { message: 'The worker is shutting down.', retryAfterSecs: 1 })
      for (const answerer of [...answerers]) answerer.close(stopping)
    },
  }
}

interface Connection {
  readonly answerer: Answerer
}

function listen(hostname: string, port: number, socket: Bun.SocketHandler<Connection>): Bun.TCPSocketListener<Connection> {
  try {
    return Bun.listen<Connection>({ hostname, port, socket })
  } catch (cause) {
    throw new AppError('port_in_use', {
      message: `The request plane cannot listen on ${hostname}:${port}: ${(cause as Error).message}`,
      cause,
    })
  }
}
