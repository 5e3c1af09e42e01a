// ZMTP sockets by what they do: bind or connect, over ipc:// (unix sockets, `@name` for the abstract namespace) and tcp://.
// A connecting socket reconnects for ever with back-off; subscriptions are repeated on each new connection.
import { chmodSync, rmSync } from 'node:fs'
import { type ByteSocket, Connection, type ConnectionEvents } from './connection.ts'
import { type SocketType, ZmtpError } from './greeting.ts'

export interface SocketOptions {
  type: SocketType
  /** `ipc:///path`, `ipc://@name`, `tcp://host:port`; `*` binds on 0.0.0.0, port 0 takes a free one. */
  endpoint: string
  onMessage?: (parts: Uint8Array[], from: Connection) => void
  onReady?: (connection: Connection) => void
  /** Protocol errors and closed connections, for logs and gap checks. `wasPeer`: the handshake was done, so messages may be lost. */
  onDown?: (reason: string, wasPeer: boolean) => void
  /** SUB: prefixes to ask for. */
  topics?: readonly string[]
  identity?: Uint8Array
}

export interface ZmtpSocket {
  /** The endpoint in use, with the real port. */
  readonly endpoint: string
  /** Connections whose handshake is done. */
  readonly peers: readonly Connection[]
  /**
   * PUSH, DEALER: to the peers in turn; PUB: to those that subscribed, dropping for one that lags by 8 MiB.
   * Returns false when nobody is connected (the message is not kept). ROUTER and others answer through the Connection.
   */
  send(parts: readonly Uint8Array[]): boolean
  close(): void
}

type Address = { unix: string } | { hostname: string; port: number }

interface Held {
  connection: Connection | undefined
}

const lagBytes = 8 * 1024 * 1024
const firstRetryMs = 20
const lastRetryMs = 2000
/** Who connects and does not say what it is holds a connection no longer. */
const handshakeMs = 5000
const decoder = new TextDecoder()

function parseEndpoint(endpoint: string): Address {
  const match = /^(ipc|tcp):\/\/(.+)$/.exec(endpoint)
  if (!match) throw new ZmtpError(`not an endpoint: ${endpoint}`)
  const rest = match[2]!
  if (match[1] === 'ipc') return { unix: rest.startsWith('@') ? `\0${rest.slice(1)}` : rest }
  const colon = rest.lastIndexOf(':')
  const port = Number(rest.slice(colon + 1))
  if (colon < 0 || !Number.isInteger(port)) throw new ZmtpError(`no port in ${endpoint}`)
  const host = rest.slice(0, colon).replace(/^\[|\]$/g, '')
  return { hostname: host === '*' ? '0.0.0.0' : host, port }
}

/** Accepts peers on `endpoint`. An ipc file is made for this user only; a stale one is replaced. */
export function bindSocket(options: SocketOptions): ZmtpSocket {
  const address = parseEndpoint(options.endpoint)
  const life = startLife(options)
  let endpoint = options.endpoint
  let file: string | undefined
  let listener: { stop(closeActive?: boolean): void }
  if ('unix' in address) {
    if (!address.unix.startsWith('\0')) {
      file = address.unix
      rmSync(file, { force: true })
    }
    listener = Bun.listen<Held>({ unix: address.unix, socket: life.handlers() })
    if (file) chmodSync(file, 0o600)
  } else {
    const bound = Bun.listen<Held>({ ...address, socket: life.handlers() })
    endpoint = `tcp://${address.hostname}:${bound.port}`
    listener = bound
  }
  return {
    endpoint,
    peers: life.peers,
    send: life.send,
    close() {
      listener.stop()
      life.close()
      if (file) rmSync(file, { force: true })
    },
  }
}

/** Connects to `endpoint`, again after each loss, until closed. */
export function connectSocket(options: SocketOptions): ZmtpSocket {
  const address = parseEndpoint(options.endpoint)
  let retryMs = firstRetryMs
  const onReady = (connection: Connection) => {
    retryMs = firstRetryMs
    options.onReady?.(connection)
  }
  const life = startLife({ ...options, onReady })
  let timer: ReturnType<typeof setTimeout> | undefined
  const again = () => {
    if (life.closed() || timer) return
    timer = setTimeout(dial, retryMs)
    retryMs = Math.min(retryMs * 2, lastRetryMs)
  }
  const dial = () => {
    timer = undefined
    const socket = life.handlers(again)
    const connecting = 'unix' in address ? Bun.connect<Held>({ unix: address.unix, socket }) : Bun.connect<Held>({ ...address, socket })
    // The rejection only repeats what `connectError` told.
    connecting.catch(() => {})
  }
  dial()
  return {
    endpoint: options.endpoint,
    peers: life.peers,
    send: life.send,
    close() {
      clearTimeout(timer)
      life.close()
    },
  }
}

/** What binding and connecting share: the live connections and their socket handlers. */
function startLife(options: SocketOptions) {
  const all = new Set<Connection>()
  const peers: Connection[] = []
  let closed = false
  let turn = 0
  const identity = options.identity ?? new Uint8Array(0)
  const events: ConnectionEvents = {
    ready(connection) {
      peers.push(connection)
      for (const topic of options.topics ?? []) connection.subscribe(topic)
      options.onReady?.(connection)
    },
    message(parts, connection) {
      options.onMessage?.(parts, connection)
    },
    failed(error, connection) {
      options.onDown?.(error.message, connection.ready)
    },
  }
  const handlers = (lost?: () => void): Bun.SocketHandler<Held> => ({
    open(socket) {
      const connection = new Connection(socket as ByteSocket, options.type, identity, events)
      socket.data = { connection }
      all.add(connection)
      setTimeout(() => connection.ready || !all.has(connection) || connection.close(), handshakeMs).unref()
      if (closed) connection.close()
    },
    data(socket, chunk) {
      socket.data.connection?.received(chunk)
    },
    drain(socket) {
      socket.data.connection?.drained()
    },
    close(socket) {
      const connection = socket.data?.connection
      if (connection) {
        connection.closed = true
        all.delete(connection)
        const at = peers.indexOf(connection)
        if (at >= 0) peers.splice(at, 1)
        if (at >= 0 && !closed) options.onDown?.('the peer closed the connection', true)
      }
      lost?.()
    },
    error(socket, error) {
      options.onDown?.(error.message, socket.data?.connection?.ready === true)
    },
    connectError(_socket, _error) {
      lost?.()
    },
  })
  const send = (parts: readonly Uint8Array[]): boolean => {
    if (peers.length === 0) return false
    if (options.type === 'PUB') {
      const topic = decoder.decode(parts[0]!)
      for (const peer of peers) if (peer.queuedBytes < lagBytes && peer.topics.some((prefix) => topic.startsWith(prefix))) peer.send(parts)
      return true
    }
    turn = (turn + 1) % peers.length
    peers[turn]!.send(parts)
    return true
  }
  return {
    peers,
    handlers,
    send,
    closed: () => closed,
    close() {
      closed = true
      for (const connection of all) connection.close()
    },
  }
}
