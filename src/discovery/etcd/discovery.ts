// Discovery over etcd (ETCD_ENDPOINTS).
import { AppError } from '../../lib/errors.ts'
import type { Discovery } from '../discovery.ts'
import { keptDiscovery } from '../kept-discovery.ts'
import type { EtcdOptions } from '../options.ts'
import { EtcdClient } from './client.ts'
import { etcdPlace } from './place.ts'
import { watchEtcd } from './watch.ts'

/** Throws AppError `invalid_setting` for no endpoint or a TLS file that cannot be read; an etcd that is away is waited for later. */
export function etcdDiscovery(options: EtcdOptions): Discovery {
  if (options.endpoints.length === 0)
    throw new AppError('invalid_setting', {
      message: 'Discovery over etcd needs an address: set ETCD_ENDPOINTS, for example http://localhost:2379.',
      param: 'ETCD_ENDPOINTS',
    })
  let client: EtcdClient
  try {
    client = new EtcdClient(options)
  } catch (cause) {
    throw new AppError('invalid_setting', {
      message: `A TLS file for etcd cannot be read: ${(cause as Error).message}`,
      param: 'ETCD_AUTH_CA',
      cause,
    })
  }
  return keptDiscovery({ place: etcdPlace(client), watch: (namespace, listener, signal) => watchEtcd(client, namespace, listener, signal) })
}
