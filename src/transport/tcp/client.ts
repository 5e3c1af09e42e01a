// The request plane over TCP, calling side: one connection to one worker, all its streams on it.
import { Caller, type DialEvents } from '../plane/caller.ts'
import { refusal } from '../plane/hello.ts'
import type { PlaneClient } from '../request-plane.ts'
import { parseTcpAddress, type TcpAddress } from './address.ts'
import { socketLink } from './socket-link.ts'

export interface TcpClientOptions {
  /** The same as the worker's, or absent on both sides. */
  readonly secret?: string | undefined
  /** Bytes that may wait for a worker that does not read. Default 64 MiB. */
  readonly maxHeldBytes?: number | undefined
}

/** Dials `tcp://host:port[/instance]` at once and again until closed. Throws AppError `invalid_value` on another address. */
export function tcpClient(address: string, options: TcpClientOptions = {}): PlaneClient {
  const target = parseTcpAddress(address)
  const { instance } = target
  const { secret, maxHeldBytes } = options
  return new Caller({ address, instance, secret, maxHeldBytes }, (events) => dial(target, events))
}

function dial({ host, port }: TcpAddress, events: DialEvents): () => void {
  let wanted = true
  let socket: Bun.Socket<undefined> | undefined
  const gone = (reason: string) => {
    if (wanted) events.gone(refusal(reason))
    wanted = false
  }
  Bun.connect({
    hostname: host,
    port,
    socket: {
      open(opened) {
        socket = opened
        if (!wanted) return void opened.terminate()
        opened.setNoDelay(true)
        events.open(socketLink(opened))
      },
      data: (_, chunk) => events.data(chunk),
      drain: () => events.drained(),
      end: (ended) => void ended.end(),
      close: () => gone('it closed the connection'),
      error: () => gone('the connection broke'),
      connectError: () => gone(`nothing listens on ${host}:${port}`),
    },
  }).catch(() => gone(`nothing listens on ${host}:${port}`))
  return () => {
    wanted = false
    socket?.terminate()
  }
}
