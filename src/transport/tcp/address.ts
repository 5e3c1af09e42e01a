// `tcp://host:port/instance`: where a worker listens, and which one is meant. Without an instance any worker at the address is right.
import { networkInterfaces } from 'node:os'
import { AppError } from '../../lib/errors.ts'

export interface TcpAddress {
  readonly host: string
  readonly port: number
  readonly instance: string
}

/** Throws AppError `invalid_value` on what is no such address. */
export function parseTcpAddress(address: string): TcpAddress {
  const url = URL.canParse(address) ? new URL(address) : undefined
  const port = Number(url?.port)
  if (url?.protocol !== 'tcp:' || url.hostname === '' || !(port > 0))
    throw new AppError('invalid_value', { message: `'${address}' is no worker address; one looks like tcp://10.0.0.5:5900` })
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port, instance: url.pathname.slice(1) }
}

export function formatTcpAddress({ host, port, instance }: TcpAddress): string {
  return `tcp://${host.includes(':') ? `[${host}]` : host}:${port}${instance === '' ? '' : `/${instance}`}`
}

/** What others can reach a listener on `host` by: itself, or this machine's first outside IPv4 address when it listens on all. */
export function reachableHost(host: string): string {
  if (host !== '0.0.0.0' && host !== '::' && host !== '') return host
  for (const addresses of Object.values(networkInterfaces()))
    for (const one of addresses ?? []) if (!one.internal && one.family === 'IPv4') return one.address
  return '127.0.0.1'
}
