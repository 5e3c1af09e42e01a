// How requests and events travel, out of the settings: where this process listens, and which address it tells others.
import type { NetworkInterfaceInfo } from 'node:os'
import type { PlaneOptions } from '../../serve/options.ts'
import type { Settings } from '../settings/settings.ts'
import { natsOptions } from './discovery-options.ts'

type Interfaces = Readonly<Record<string, NetworkInterfaceInfo[] | undefined>>

/** Discovery of one machine: nothing of it is open to others unless an address is given. */
const local: readonly Settings['discoveryBackend'][] = ['file', 'static', 'mem']

/**
 * What others are told is listened on, where it is an address of this machine. A name (a container's, a service's) or an address that is
 * translated on the way is not: then all addresses are.
 */
export function planeOptions(settings: Settings, interfaces: Interfaces): PlaneOptions {
  const { requestPlane, eventPlane, planeBind, rpcHost, rpcPort, eventHost, eventPort, planeSecret, discoveryBackend } = settings
  const host = rpcHost ?? (local.includes(discoveryBackend) ? '127.0.0.1' : firstAddress(interfaces))
  const addresses = new Set(['127.0.0.1', '0.0.0.0', '::', '::1', ...all(interfaces).map((one) => one.address)])
  const at = (told: string) => ({ bind: planeBind ?? (addresses.has(told) ? told : '0.0.0.0'), host: told })
  return {
    request: requestPlane,
    events: eventPlane,
    tcp: { ...at(host), port: rpcPort, secret: planeSecret },
    zmq: { ...at(eventHost ?? host), port: eventPort },
    nats: requestPlane === 'nats' || eventPlane === 'nats' ? natsOptions(settings) : undefined,
  }
}

/** The first address that is not the machine's own loop, IPv4 before IPv6; the loop where there is none. */
export function firstAddress(interfaces: Interfaces): string {
  const outer = all(interfaces).filter((one) => !one.internal && !one.address.startsWith('fe80:'))
  return (outer.find((one) => one.family === 'IPv4') ?? outer[0])?.address ?? '127.0.0.1'
}

const all = (interfaces: Interfaces): NetworkInterfaceInfo[] => Object.values(interfaces).flatMap((list) => list ?? [])
