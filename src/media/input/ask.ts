// One question to the server of a user's file, at an address that was checked: straight to it, or by the proxy of the environment.
import http from 'node:http'
import https from 'node:https'
import { isIP } from 'node:net'
import { givingWay, tooMany } from './give-way.ts'

export interface Question {
  /** The file's own address: the certificate must be of its name. */
  url: URL
  /** IP addresses; what is connected to, never the name: a second lookup could give another answer. */
  addresses: readonly string[]
  /** What is asked for. */
  accept: string
  /** Authorities to trust besides the system's. */
  ca?: string | undefined
  /** A proxy is asked for the address. */
  byProxy?: boolean
}

export interface Answer {
  status: number
  header(name: string): string | undefined
  /** As it was sent. Who leaves it ends the connection; one that breaks off rejects. */
  body: AsyncIterable<Uint8Array>
  /** For who does not read the body. */
  end(): void
}

/** Longer than nearly all files take. */
const fairMs = 5000
/** Each is a socket; servers that let us wait must not take all that this process may open. */
const direct = givingWay({ most: 2000, fairMs })
/** A process has 256 requests of `fetch` under way at most, and discovery's are among them. */
const byProxy = givingWay({ most: 192, fairMs })

/** Where downloads take their turns (give-way.ts). */
export const turns = (question: Pick<Question, 'byProxy'>) => (question.byProxy === true ? byProxy : direct)

/** What runs out on this side, which is no fault of the file's server. */
const outOfSockets = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'EADDRNOTAVAIL'])

/** The head of the first address that answers. Rejects as the last one that does not, with `overloaded` naming `param` where it is this process that can open no more. */
export async function ask(question: Question, param: string, signal: AbortSignal): Promise<Answer> {
  let failure: unknown
  for (const address of question.addresses.slice(0, 4)) {
    try {
      return await (question.byProxy === true ? throughFetch : straight)(question, address, signal)
    } catch (thrown) {
      if (outOfSockets.has((thrown as { code?: string }).code ?? '')) throw tooMany(param, thrown)
      if (signal.aborted) throw thrown
      failure = thrown
    }
  }
  throw failure
}

function headersOf({ url, accept }: Question): Record<string, string> {
  return { host: url.host, accept, 'accept-encoding': 'identity', 'user-agent': 'dynamo-sglang' }
}

/** The name that the certificate must have; of an address none. */
function nameOf({ hostname }: URL): string | undefined {
  return isIP(hostname.replace(/^\[|\]$/g, '')) === 0 ? hostname : undefined
}

/** Without keep-alive: a kept connection is found again by its address, whatever name it was verified for. */
function straight(question: Question, address: string, signal: AbortSignal): Promise<Answer> {
  const { url, ca } = question
  const secure = url.protocol === 'https:'
  const servername = nameOf(url)
  return new Promise((resolve, reject) => {
    const request = (secure ? https : http).request(
      {
        host: address,
        port: url.port || (secure ? 443 : 80),
        path: url.pathname + url.search,
        headers: headersOf(question),
        agent: false,
        signal,
        ...(servername !== undefined && { servername }),
        ...(ca !== undefined && { ca }),
      },
      (response) =>
        resolve({
          status: response.statusCode ?? 0,
          header: (name) => response.headers[name]?.toString(),
          body: response,
          end: () => void response.destroy(),
        }),
    )
    request.on('error', reject)
    request.end()
  })
}

async function throughFetch(question: Question, address: string, signal: AbortSignal): Promise<Answer> {
  const { url, ca } = question
  const pinned = new URL(url)
  pinned.hostname = address.includes(':') ? `[${address}]` : address
  pinned.hash = ''
  const serverName = nameOf(url)
  const response = await fetch(pinned, {
    ...{ headers: headersOf(question), redirect: 'manual', keepalive: false, decompress: false, signal },
    tls: { ...(serverName !== undefined && { serverName }), ...(ca !== undefined && { ca }) },
  })
  return {
    status: response.status,
    header: (name) => response.headers.get(name) ?? undefined,
    body: (response.body ?? []) as AsyncIterable<Uint8Array>,
    end: () => void response.body?.cancel().catch(() => {}),
  }
}
