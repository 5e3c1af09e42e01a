// One NATS connection for a discovery, made when it is first needed, and the subjects on it. Nothing is stored at the server (no JetStream):
// each process says by itself, again and again, that it is there.
import type { NatsConnection } from '@nats-io/transport-node'
import { connectNats, type NatsOptions } from '../../transport/nats/connection.ts'
import { safeName } from '../safe-name.ts'

/** What processes say: `card` (the whole card), `beat`, `bye`. */
export const saySubject = (namespace: string, word: string): string => `dynamo-sglang.discovery.say.${safeName(namespace)}.${word}`
/** What watchers ask: an id for one card, nothing for all. Answers go to the reply subject. */
export const askSubject = (namespace: string): string => `dynamo-sglang.discovery.ask.${safeName(namespace)}`

/** The payload of `card` and of answers. */
export interface Said {
  readonly card: unknown
  readonly version: string
  readonly count: number
}

/** The payload of `beat`; `bye` has the id alone. */
export interface Beat {
  readonly id: string
  readonly version: string
  readonly count: number
}

const answerMs = 1000

export class NatsLink {
  readonly name: string
  /** False between a lost connection and the next. */
  up = false
  private readonly options: NatsOptions
  private readonly closing = new AbortController()
  private readonly returns = new Set<() => void>()
  private connecting: Promise<NatsConnection> | undefined

  constructor(options: NatsOptions) {
    this.options = options
    this.name = `NATS at ${options.servers.join(', ')}`
  }

  /** Waits for a server; rejects as `connectNats`. */
  connection(): Promise<NatsConnection> {
    this.connecting ??= connectNats(this.options, 'dynamo-sglang discovery', true, this.closing.signal).then(
      (connection) => {
        this.up = true
        void this.follow(connection)
        return connection
      },
      (error) => {
        this.connecting = undefined
        throw error
      },
    )
    return this.connecting
  }

  /** Rejects while there is no connection: the client would keep what is published for later. */
  async live(): Promise<NatsConnection> {
    const connection = await this.within(this.connection())
    if (!this.up) throw new Error(`no connection to ${this.name}`)
    return connection
  }

  /** Resolves when the server has everything sent before. */
  async flush(connection: NatsConnection): Promise<void> {
    await this.within(connection.flush())
  }

  /** `back` is called after each reconnect, until the returned function is. */
  onReturn(back: () => void): () => void {
    this.returns.add(back)
    return () => this.returns.delete(back)
  }

  async close(): Promise<void> {
    this.closing.abort()
    const connection = await this.connecting?.catch(() => undefined) // It never came about.
    await connection?.close()
  }

  private async within<T>(work: Promise<T>): Promise<T> {
    const { promise, reject } = Promise.withResolvers<never>()
    const timer = setTimeout(() => reject(new Error(`${this.name} does not answer`)), answerMs)
    try {
      return await Promise.race([work, promise])
    } finally {
      clearTimeout(timer)
    }
  }

  private async follow(connection: NatsConnection): Promise<void> {
    for await (const change of connection.status()) {
      if (change.type === 'disconnect') this.up = false
      if (change.type !== 'reconnect') continue
      this.up = true
      for (const back of this.returns) back()
    }
    this.up = false
  }
}
