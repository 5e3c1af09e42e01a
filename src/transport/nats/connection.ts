// A connection to NATS servers that comes back by itself: what discovery, the request plane and the event plane share of the client library.
import { readFileSync } from 'node:fs'
import type { NatsConnection } from '@nats-io/transport-node'
import { AppError } from '../../lib/errors.ts'
import { log } from '../../lib/log.ts'

export interface NatsOptions {
  /** `nats://host:port` or `tls://host:port`; host alone means port 4222. */
  readonly servers: readonly string[]
  readonly user?: string
  readonly password?: string
  readonly token?: string
  /** An nkey seed (`SU…`). */
  readonly nkey?: string
  /** A `.creds` file (user JWT and seed). */
  readonly credentialsFile?: string
  readonly tls?: { readonly caFile?: string; readonly certFile?: string; readonly keyFile?: string }
}

/**
 * Connects, waiting for a server as long as it takes (unless `wait` is false) or until the signal. After that the connection is restored for ever; subscriptions survive it.
 * Throws AppError `invalid_setting` for wrong credentials and unreadable files, `engine_unavailable` when it should not or may not wait longer.
 */
export async function connectNats(options: NatsOptions, name: string, wait = true, signal?: AbortSignal): Promise<NatsConnection> {
  const nats = await import('@nats-io/transport-node')
  const encode = (text: string) => new TextEncoder().encode(text)
  const servers = [...options.servers]
  const connecting = {
    servers,
    name,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 100,
    // A server that is silent for 3 s is left for another one.
    pingInterval: 1000,
    maxPingOut: 2,
    timeout: 3000,
    ...(options.user === undefined ? {} : { user: options.user }),
    ...(options.password === undefined ? {} : { pass: options.password }),
    ...(options.token === undefined ? {} : { token: options.token }),
    ...(options.nkey === undefined ? {} : { authenticator: nats.nkeyAuthenticator(encode(options.nkey)) }),
    ...(options.credentialsFile === undefined
      ? {}
      : { authenticator: nats.credsAuthenticator(new Uint8Array(readFileSync(options.credentialsFile))) }),
    ...(options.tls === undefined ? {} : { tls: { ...options.tls } }),
  }
  for (let told = false; ; told = true) {
    try {
      const connection = await nats.connect(connecting)
      if (signal?.aborted === true) await connection.close()
      else return connection
    } catch (cause) {
      const refused = cause instanceof nats.AuthorizationError || cause instanceof nats.UserAuthenticationExpiredError
      if (refused || !wait) throw unreachable(options, refused ? 'invalid_setting' : 'engine_unavailable', cause as Error)
      if (!told) log.warn({ servers, reason: (cause as Error).message }, 'no NATS server yet; still trying')
      await Bun.sleep(300)
    }
    if (signal?.aborted === true) throw unreachable(options, 'engine_unavailable', new Error('closed while waiting'))
  }
}

function unreachable(options: NatsOptions, code: 'invalid_setting' | 'engine_unavailable', cause: Error): AppError {
  return new AppError(code, {
    message: `No connection to the NATS server at ${options.servers.join(', ')}: ${cause.message}. Is it running, and are the address and the credentials right?`,
    param: 'NATS_SERVER',
    cause,
  })
}
