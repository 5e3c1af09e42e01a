// Events over ZMQ: each publisher listens on a port of its own, listeners connect. Nothing lies between two processes.
import { AppError } from '../lib/errors.ts'
import type { EventPlane } from './event-plane.ts'
import { reachableHost } from './tcp/address.ts'
import { bindSocket, connectSocket, type ZmtpSocket } from './zmtp/sockets.ts'

export interface ZmqEventsOptions {
  /** Where publishers listen. */
  host: string
  /** The host that is told to others; absent: `host`, or this machine's address when that is all of them. */
  advertisedHost?: string
  /** The first publisher's port; 0 takes a free one, as every further publisher does. */
  port?: number
}

/** Messages have an empty topic: who listens to an address wants all of it. A listener that lags by 8 MiB misses messages. */
const everything = new Uint8Array(0)

export function zmqEvents({ host, advertisedHost = reachableHost(host), port = 0 }: ZmqEventsOptions): EventPlane {
  const sockets = new Set<ZmtpSocket>()
  const keep = (socket: ZmtpSocket) => {
    sockets.add(socket)
    return () => {
      sockets.delete(socket)
      socket.close()
    }
  }
  const bracketed = (name: string) => (name.includes(':') ? `[${name}]` : name)
  let nextPort = port

  return {
    async publisher() {
      const socket = bind(bracketed(host), nextPort)
      nextPort = 0
      const close = keep(socket)
      const bound = socket.endpoint.slice(socket.endpoint.lastIndexOf(':') + 1)
      return {
        address: `zmq://${bracketed(advertisedHost)}:${bound}`,
        publish: (message) => void socket.send([everything, message]),
        close,
      }
    },
    listen(address, listener) {
      const socket = connectSocket({
        type: 'SUB',
        endpoint: address.replace(/^zmq:/, 'tcp:'),
        topics: [''],
        onMessage: (parts) => listener.message(parts[1]!),
        onReady: () => listener.connected?.(),
      })
      return { close: keep(socket) }
    },
    async close() {
      for (const socket of sockets) socket.close()
      sockets.clear()
    },
  }
}

function bind(host: string, port: number): ZmtpSocket {
  try {
    return bindSocket({ type: 'PUB', endpoint: `tcp://${host}:${port}` })
  } catch (cause) {
    throw new AppError('port_in_use', { message: `The event plane cannot listen on ${host}:${port}: ${(cause as Error).message}`, cause })
  }
}
