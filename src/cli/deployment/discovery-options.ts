// How to find other processes, out of the settings; and the addresses of the services that may stand between.
import type { DiscoveryOptions, EtcdOptions, KubernetesOptions } from '../../discovery/options.ts'
import type { NatsOptions } from '../../transport/nats/connection.ts'
import type { Settings } from '../settings/settings.ts'
import { privateFolder } from './private-folder.ts'

/** Addresses alone are not enough for static workers: who speaks the request plane adds how a card is fetched. */
export function discoveryOptions(settings: Settings): Omit<DiscoveryOptions, 'workers'> {
  const { discoveryBackend: backend, fileKv, fileKvIsShared } = settings
  if (backend === 'file') return { backend, file: { folder: fileKvIsShared ? privateFolder(fileKv) : fileKv } }
  if (backend === 'etcd') return { backend, etcd: etcdOptions(settings) }
  if (backend === 'nats') return { backend, nats: natsOptions(settings) }
  if (backend === 'kubernetes') return { backend, kubernetes: kubernetesOptions(settings) }
  return { backend }
}

export function etcdOptions({ etcdEndpoints, etcdUser, etcdPassword, etcdCa, etcdCert, etcdKey }: Settings): EtcdOptions {
  const tls = given({ caFile: etcdCa, certFile: etcdCert, keyFile: etcdKey })
  return {
    endpoints: etcdEndpoints.length > 0 ? etcdEndpoints : ['http://localhost:2379'],
    ...given({ user: etcdUser, password: etcdPassword }),
    ...(Object.keys(tls).length === 0 ? {} : { tls }),
  }
}

export function natsOptions(settings: Settings): NatsOptions {
  const { natsServers, natsUser, natsPassword, natsToken, natsNkey, natsCredentials, natsCa, natsCert, natsKey } = settings
  const tls = given({ caFile: natsCa, certFile: natsCert, keyFile: natsKey })
  return {
    servers: natsServers.length > 0 ? natsServers : ['nats://localhost:4222'],
    ...given({ user: natsUser, password: natsPassword, token: natsToken, nkey: natsNkey, credentialsFile: natsCredentials }),
    ...(Object.keys(tls).length === 0 ? {} : { tls }),
  }
}

function kubernetesOptions({
  kubernetesHost,
  kubernetesPort,
  serviceAccountFolder,
  podNamespace,
  podName,
  podUid,
}: Settings): KubernetesOptions {
  const host = kubernetesHost!.includes(':') ? `[${kubernetesHost}]` : kubernetesHost
  return { apiServer: `https://${host}:${kubernetesPort}`, ...given({ serviceAccountFolder, podNamespace, podName, podUid }) }
}

/** The fields that are set: options leave out what nobody said. */
function given<T extends Record<string, string | undefined>>(fields: T): { [K in keyof T]?: string } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as { [K in keyof T]?: string }
}
