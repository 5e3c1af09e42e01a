// A pool of keep-alive connections to one server. Bun's fetch allows 256 requests at a time and copies each chunk through a stream;
// a load test needs thousands, for less.
import type { Socket } from 'bun'
import type { Answer } from './answer.ts'
import { HttpResponses } from './http-response.ts'

interface Connection {
  socket: Socket<undefined>
  responses: HttpResponses
  answer: Answer | undefined
  /** Bytes of the request that the socket did not take yet. */
  unsent: Uint8Array | undefined
  used: boolean
  /** What to do when the connection breaks under its answer. */
  onLost: (() => void) | undefined
}

/** The handshake itself went well, but nobody vouches for the server's certificate. */
export function isCertificateError(error: unknown): boolean {
  const code = String((error as { code?: unknown } | null)?.code)
  return /CERT|ISSUER|LEAF_SIGNATURE|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH|HOSTNAME_MISMATCH/.test(code)
}

export class ConnectionPool {
  private readonly url: URL
  private readonly insecure: boolean
  private readonly idle: Connection[] = []
  private readonly open = new Map<Socket<undefined>, Connection>()

  /** `insecure`: any TLS certificate will do. */
  constructor(url: URL, insecure = false) {
    this.url = url
    this.insecure = insecure
  }

  /**
   * Sends a whole request; the answer is told of everything that happens to it, and exactly one of its `done` and `fail` is called.
   * A kept connection that the server had closed meanwhile is replaced once.
   */
  async send(request: Uint8Array, answer: Answer): Promise<void> {
    let connection = this.idle.pop()
    try {
      connection ??= await this.connect()
    } catch (error) {
      const { code, message } = error as { code?: string; message: string }
      answer.fail(`cannot connect: ${code ?? message}`)
      return
    }
    if (answer.ended) {
      this.idle.push(connection)
      return
    }
    connection.answer = answer
    connection.responses.handler = {
      head: (status) => answer.head(status),
      body: (bytes, start, end) => answer.body(bytes, start, end),
      done: () => {
        connection.answer = undefined
        connection.used = true
        if (connection.responses.reusable) this.idle.push(connection)
        else connection.socket.end()
        answer.done()
      },
    }
    connection.onLost = () => {
      if (connection.used && !answer.begun) void this.send(request, answer)
      else answer.fail('connection lost')
    }
    write(connection, request)
  }

  /** Ends the connection that an answer is on: its time is up. */
  drop(answer: Answer): void {
    for (const connection of this.open.values()) {
      if (connection.answer !== answer) continue
      connection.answer = undefined
      connection.socket.terminate()
    }
  }

  close(): void {
    for (const socket of this.open.keys()) socket.end()
  }

  private connect(): Promise<Connection> {
    const { url } = this
    const secure = url.protocol === 'https:'
    const hostname = url.hostname.replace(/^\[|\]$/g, '')
    const opened = Promise.withResolvers<Connection>()
    const begin = (socket: Socket<undefined>) => {
      const connection: Connection = {
        socket,
        responses: new HttpResponses(),
        answer: undefined,
        unsent: undefined,
        used: false,
        onLost: undefined,
      }
      socket.setNoDelay(true)
      this.open.set(socket, connection)
      opened.resolve(connection)
    }
    const end = (socket: Socket<undefined>, error?: Error) => {
      opened.reject(error ?? new Error('the connection was closed'))
      this.lost(socket)
    }
    const options = {
      hostname,
      port: Number(url.port) || (secure ? 443 : 80),
      socket: {
        open: (socket: Socket<undefined>) => {
          if (!secure) begin(socket)
        },
        // What is written before this is lost.
        handshake: (socket: Socket<undefined>, success: boolean, error: Error | null) => {
          if ((success && error === null) || (this.insecure && isCertificateError(error))) begin(socket)
          else {
            opened.reject(error ?? new Error('the TLS handshake failed'))
            socket.terminate()
          }
        },
        data: (socket: Socket<undefined>, bytes: Buffer) => this.receive(socket, bytes),
        drain: (socket: Socket<undefined>) => {
          const connection = this.open.get(socket)
          if (connection?.unsent === undefined) return
          const { unsent } = connection
          connection.unsent = undefined
          write(connection, unsent)
        },
        close: end,
        error: end,
        connectError: (_: Socket<undefined>, error: Error) => opened.reject(error),
      },
    }
    Bun.connect(secure ? { ...options, tls: { serverName: hostname, rejectUnauthorized: !this.insecure } } : options).catch(opened.reject)
    return opened.promise
  }

  private receive(socket: Socket<undefined>, bytes: Buffer): void {
    const connection = this.open.get(socket)
    if (connection === undefined) return
    try {
      connection.responses.feed(bytes)
    } catch {
      connection.answer?.fail('not HTTP')
      connection.answer = undefined
      socket.terminate()
    }
  }

  private lost(socket: Socket<undefined>): void {
    const connection = this.open.get(socket)
    if (connection === undefined) return
    this.open.delete(socket)
    const at = this.idle.indexOf(connection)
    if (at !== -1) this.idle.splice(at, 1)
    const { answer } = connection
    connection.answer = undefined
    if (answer === undefined || connection.responses.end()) return
    connection.onLost?.()
  }
}

function write(connection: Connection, bytes: Uint8Array): void {
  const sent = connection.socket.write(bytes)
  if (sent < bytes.length) connection.unsent = bytes.subarray(Math.max(0, sent))
}
