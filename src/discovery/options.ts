// What the settings say about discovery: which backend, and how to reach it.
import type { NatsOptions } from '../transport/nats/connection.ts'
import type { FetchCard } from './static.ts'

export const discoveryBackends = ['static', 'mem', 'file', 'etcd', 'nats', 'kubernetes'] as const
export type DiscoveryBackend = (typeof discoveryBackends)[number]

/** Only the part of the chosen backend is read. */
export interface DiscoveryOptions {
  /** `mem` is Dynamo's word for `static`. */
  readonly backend: DiscoveryBackend
  /** static: workers at known addresses (`--worker-address`), asked for their cards. Without it: this process alone. */
  readonly workers?: { readonly addresses: readonly string[]; readonly fetchCard: FetchCard }
  /** file: a folder that all processes see (DYN_FILE_KV). Need not exist yet. */
  readonly file?: { readonly folder: string }
  readonly etcd?: EtcdOptions
  readonly nats?: NatsOptions
  readonly kubernetes?: KubernetesOptions
}

export interface TlsFiles {
  readonly caFile?: string
  readonly certFile?: string
  readonly keyFile?: string
}

export interface EtcdOptions {
  /** ETCD_ENDPOINTS: `http://host:2379`, `https://…` or `host:2379`; the first that answers is used. */
  readonly endpoints: readonly string[]
  /** ETCD_AUTH_USERNAME, ETCD_AUTH_PASSWORD. */
  readonly user?: string
  readonly password?: string
  /** ETCD_AUTH_CA, ETCD_AUTH_CLIENT_CERT, ETCD_AUTH_CLIENT_KEY. */
  readonly tls?: TlsFiles
}

/** Each has the default of a pod: service account files, KUBERNETES_SERVICE_HOST and _PORT, the service account's namespace. */
export interface KubernetesOptions {
  /** `https://host:port`; from KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT in a pod. */
  readonly apiServer: string
  /** Default /var/run/secrets/kubernetes.io/serviceaccount: its `token` (read again when it changes), `ca.crt`, `namespace`. */
  readonly serviceAccountFolder?: string
  /** The Kubernetes namespace the Lease objects live in (POD_NAMESPACE). Default: the service account's. */
  readonly podNamespace?: string
  /** POD_NAME and POD_UID, by the downward API: with them the cluster removes the Lease together with the pod. */
  readonly podName?: string
  readonly podUid?: string
}
