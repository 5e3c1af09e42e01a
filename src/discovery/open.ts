// Opens the discovery that the settings name. Each backend's code and client library load only when it is chosen.
import { AppError } from '../lib/errors.ts'
import type { Discovery } from './discovery.ts'
import { type DiscoveryOptions, discoveryBackends } from './options.ts'

/**
 * Resolves with a discovery that keeps itself connected; a backend that is away now is waited for by `announce` and `watch`, not here.
 * Throws AppError `invalid_setting` naming what is missing or wrong.
 */
export async function openDiscovery(options: DiscoveryOptions): Promise<Discovery> {
  switch (options.backend) {
    case 'static':
    case 'mem': {
      const { addressedDiscovery, createBoard, staticDiscovery } = await import('./static.ts')
      return options.workers === undefined
        ? staticDiscovery(createBoard())
        : addressedDiscovery(options.workers.addresses, options.workers.fetchCard)
    }
    case 'file':
      return (await import('./file/discovery.ts')).fileDiscovery(
        given(options.file, 'file', 'DYN_FILE_KV', 'a folder that all processes see'),
      )
    case 'etcd':
      return (await import('./etcd/discovery.ts')).etcdDiscovery(
        given(options.etcd, 'etcd', 'ETCD_ENDPOINTS', 'its addresses, for example http://localhost:2379'),
      )
    case 'nats':
      return (await import('./nats/discovery.ts')).natsDiscovery(
        given(options.nats, 'nats', 'NATS_SERVER', 'its address, for example nats://localhost:4222'),
      )
    case 'kubernetes':
      return (await import('./kubernetes/discovery.ts')).kubernetesDiscovery(
        given(options.kubernetes, 'kubernetes', 'KUBERNETES_SERVICE_HOST', 'to run in a pod, or the address of the API server'),
      )
    default:
      throw new AppError('invalid_setting', {
        message: `Unknown discovery backend '${options.backend as string}'. Known: ${discoveryBackends.join(', ')}.`,
        param: '--discovery-backend',
      })
  }
}

function given<T>(part: T | undefined, backend: string, param: string, what: string): T {
  if (part !== undefined) return part
  throw new AppError('invalid_setting', { message: `Discovery over ${backend} needs ${what}: set ${param}.`, param })
}
