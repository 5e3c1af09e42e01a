// Addresses in answers: the store gives whole ones or paths of this server, clients get whole ones.
import type { Call } from '../call.ts'

/** `url` as the client of `call` can fetch it: a path becomes an address at the host that the client called, also behind a proxy that says so. */
export function publicUrl(url: string, call: Pick<Call, 'url' | 'headers'>): string {
  if (!url.startsWith('/')) return url
  const asked = new URL(call.url)
  const proto = first(call.headers.get('x-forwarded-proto'))
  const host = first(call.headers.get('x-forwarded-host'))
  const scheme = proto === 'http' || proto === 'https' ? proto : asked.protocol.slice(0, -1)
  const authority = host !== undefined && /^(?:[\w.-]{1,253}|\[[\da-f:.]{2,45}\])(?::\d{1,5})?$/i.test(host) ? host : asked.host
  return `${scheme}://${authority}${url}`
}

/** Of several proxies, the one that the client talked to. */
function first(header: string | null): string | undefined {
  return header?.split(',')[0]?.trim()
}
