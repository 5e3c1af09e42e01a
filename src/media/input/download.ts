// Fetches a user's address without becoming the user's way into our network: every hop is checked, and what was checked is what is connected to.
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { AppError } from '../../lib/errors.ts'
import { isPublicAddress } from './address.ts'
import { ask, turns } from './ask.ts'
import { inTime } from './in-time.ts'
import { readLimited } from './limited.ts'
import type { InputPolicy, Network } from './policy.ts'

/** What the file's server is asked for. */
const accepted = { image: 'image/*', clip: 'video/*', sound: 'audio/*' } as const

/** Content codings that change the bytes. Stores of files keep others with them that do not (`aws-chunked`, `utf-8`). */
const compressed = /\b(gzip|deflate|br|zstd|compress)\b/i

/** A hop after its checks: the name to speak of and the addresses that may be connected to. */
interface Target {
  url: URL
  addresses: string[]
}

/** The machine's own names and authorities. */
export const internet: Network = {
  resolve: async (name) => (await lookup(name, { all: true })).map(({ address }) => address),
  isPublic: isPublicAddress,
}

/**
 * The body of an http(s) address, following redirects. Rejects with `invalid_value` (an address that may not be asked), `invalid_image` (no answer,
 * not found, too large, too slow), `overloaded` and `client_closed_request`, all of them naming `param`.
 */
export async function download(
  address: URL,
  policy: InputPolicy,
  param: string,
  signal: AbortSignal,
  network: Network = internet,
): Promise<Uint8Array> {
  const timeout = AbortSignal.timeout(policy.timeoutMs)
  const either = AbortSignal.any([signal, timeout])
  try {
    return await turns(policy)(param, either, (until) => follow(address, policy, param, network, until))
  } catch (thrown) {
    if (signal.aborted) throw new AppError('client_closed_request', { param, message: 'The client went away.' })
    if (thrown instanceof AppError) throw thrown
    if (timeout.aborted) throw failed(policy, param, `it took longer than ${policy.timeoutMs / 1000} seconds`)
    throw failed(policy, param, whyNot((thrown as NodeJS.ErrnoException).code ?? ''), thrown)
  }
}

/** What the sender can do something about; of the rest it is only said that nobody answers there. */
function whyNot(code: string): string {
  if (code === 'ENOTFOUND') return 'its name is not known'
  if (/CERT|SIGNATURE|SELF_SIGNED/.test(code)) return "its server's certificate is not valid"
  if (/SSL|^EPROTO$/.test(code)) return 'its server does not speak TLS there'
  // node:http's parser, and the words of `fetch`.
  if (/^HPE_|HTTP_?Response|ContentLength/.test(code)) return "its server's answer is not HTTP"
  return code === 'ECONNRESET' ? 'its server broke the connection off' : 'its server cannot be reached'
}

async function follow(address: URL, policy: InputPolicy, param: string, network: Network, signal: AbortSignal): Promise<Uint8Array> {
  const { kind, byProxy = false } = policy
  let url = address
  for (let hop = 0; hop <= policy.maxRedirects; hop++) {
    const target = await check(url, policy, param, network, signal)
    const { status, header, body, end } = await ask(
      { ...target, accept: accepted[kind ?? 'image'], ca: network.ca, byProxy },
      param,
      signal,
    )
    try {
      const location = header('location')
      if (status >= 300 && status < 400 && location !== undefined) {
        url = next(location, url, policy, param)
        continue
      }
      if (status < 200 || status > 299) throw failed(policy, param, `its server answered ${status}`)
      if (compressed.test(header('content-encoding') ?? ''))
        throw failed(policy, param, 'its server sent it compressed, though asked not to')
      const bytes = await readLimited(body, Number(header('content-length') ?? 0), policy, param)
      if (bytes.length === 0) throw failed(policy, param, "its server's answer is empty")
      return bytes
    } finally {
      end()
    }
  }
  throw failed(policy, param, `it redirects more than ${policy.maxRedirects} times`)
}

function failed({ kind = 'image' }: InputPolicy, param: string, why: string, cause?: unknown): AppError {
  return new AppError('invalid_image', { param, message: `The ${kind} at ${param} could not be fetched: ${why}.`, cause })
}

function refused(param: string, why: string): AppError {
  return new AppError('invalid_value', { param, message: `The address at ${param} may not be fetched: ${why}.` })
}

function next(location: string, from: URL, policy: InputPolicy, param: string): URL {
  const url = URL.parse(location, from.href)
  if (url === null) throw failed(policy, param, 'it redirects to something that is no address')
  return url
}

async function check(url: URL, policy: InputPolicy, param: string, network: Network, signal: AbortSignal): Promise<Target> {
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && policy.allowInternal)) {
    const http = url.protocol === 'http:' ? ' (DYN_MM_ALLOW_INTERNAL=1 on the server allows http)' : ''
    throw refused(param, policy.allowInternal ? 'only http and https are read' : `only https is read${http}`)
  }
  if (url.username !== '' || url.password !== '') throw refused(param, 'it has a user name or password in it')
  // The URL parser has already made an IP address of its other spellings (decimal, hex, full-width digits).
  const host = url.hostname.replace(/^\[|\]$/g, '')
  // Name lookups cannot be aborted, only no longer be waited for.
  const addresses = isIP(host) ? [host] : await inTime(network.resolve(host), signal)
  if (addresses.length === 0) throw failed(policy, param, 'its name has no address')
  // One bad address is enough: a name that mixes them tries to get past a check that looks at the first.
  if (!policy.allowInternal && !addresses.every((one) => network.isPublic(one))) {
    throw refused(param, 'it is not on the public internet (DYN_MM_ALLOW_INTERNAL=1 on the server allows that)')
  }
  return { url, addresses }
}
