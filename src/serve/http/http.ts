// The port: Bun.serve with the hot routes in its own router and everything else in the app's.
import { networkInterfaces } from 'node:os'
import { AppError, toAppError } from '../../lib/errors.ts'
import { log } from '../../lib/log.ts'
import { errorResponse } from '../../openai/errors.ts'
import type { HttpApp } from './app.ts'

export interface HttpOptions {
  app: HttpApp
  /** Default 0.0.0.0. */
  host?: string
  port: number
  /** PEM texts. */
  tls?: { cert: string; key: string }
  /** Several processes share the port; the kernel spreads connections. */
  reusePort?: boolean
  /** The flag that chose the port, for messages. */
  portFlag?: string
}

export interface HttpServer {
  /** With the port that was really taken. */
  readonly url: string
  readonly port: number
  /** Requests whose last byte has not been handed to the kernel: a slow reader's answer may be long made and not yet out. */
  pending(): number
  /** Takes no new connection; resolves when the running answers are out. `now` cuts them. */
  stop(now?: boolean): Promise<void>
}

/** Bodies are limited with an answer in limits.ts; Bun's own limit only closes the connection. */
const NO_LIMIT = Number.MAX_SAFE_INTEGER

/** Throws `port_in_use`, `invalid_setting`. */
export function startHttp(options: HttpOptions): HttpServer {
  const { app, host = '0.0.0.0', port, tls, reusePort = false, portFlag = '--http-port' } = options
  const routes: Record<string, { POST: (request: Request, server: Bun.Server<undefined>) => Promise<Response> }> = {}
  for (const [path, handler] of app.posts) routes[path] = { POST: handler }
  let server: Bun.Server<undefined>
  try {
    server = Bun.serve({
      hostname: host,
      port,
      reusePort,
      ...(tls === undefined ? {} : { tls }),
      // An answer may be silent for long while a prompt waits; silence is bounded per request instead (endpoint.ts), a slow head by Bun.
      idleTimeout: 0,
      maxRequestBodySize: NO_LIMIT,
      // Bun's own answer to a throw is a page with the source in it.
      development: false,
      error: (thrown) => {
        const error = toAppError(thrown)
        log.error({ err: error.cause ?? error }, 'request failed')
        return errorResponse(error)
      },
      routes,
      // Bun sends a HEAD's answer without its body and with the length that GET's has.
      fetch: (request, self) => app.fetch(request.method === 'HEAD' ? new Request(request, { method: 'GET' }) : request, self),
    })
  } catch (cause) {
    throw bindError(cause, host, port, portFlag)
  }
  const shownHost = host === '0.0.0.0' || host === '::' ? 'localhost' : host.includes(':') ? `[${host}]` : host
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${shownHost}:${server.port}`,
    port: server.port!,
    pending: () => server.pendingRequests,
    stop: (now = false) => server.stop(now),
  }
}

function bindError(cause: unknown, host: string, port: number, flag: string): AppError {
  const code = (cause as { code?: string } | null)?.code
  // Bun says the same where the address is not one of this machine.
  if (code === 'EADDRINUSE' && !isOurs(host))
    return new AppError('invalid_setting', {
      message: `Cannot listen on ${host}:${port}: ${host} is not known as an address of this machine, or the port is in use. Check both, ${flag} among them.`,
      param: flag,
      cause,
    })
  if (code === 'EADDRINUSE')
    return new AppError('port_in_use', {
      message: `Port ${port} on ${host} is already in use. Stop the other program, or choose another port with ${flag}${flag === '--http-port' ? ' (several frontends on one port: --reuse-port for each of them, the first too)' : ''}.`,
      param: flag,
      cause,
    })
  const why = cause instanceof Error ? cause.message : String(cause)
  return new AppError('invalid_setting', { message: `Cannot listen on ${host}:${port} (${flag}): ${why}`, param: flag, cause })
}

/** As far as it can be told without asking a name server. */
function isOurs(host: string): boolean {
  const named = host === 'localhost' || host === '0.0.0.0' || host === '::' || host.startsWith('127.')
  const addresses = () => Object.values(networkInterfaces()).flatMap((all = []) => all.map(({ address }) => address))
  return named || addresses().includes(host)
}
