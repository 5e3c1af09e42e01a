// Discovery inside a Kubernetes cluster, over its API server. The rights that a pod needs: manifest.ts.
import type { Discovery } from '../discovery.ts'
import { keptDiscovery } from '../kept-discovery.ts'
import type { KubernetesOptions } from '../options.ts'
import { KubernetesClient } from './client.ts'
import { kubernetesPlace } from './place.ts'
import { watchKubernetes } from './watch.ts'

/** Throws AppError `invalid_setting` when the service account's files cannot be read. */
export function kubernetesDiscovery(options: KubernetesOptions): Discovery {
  const client = new KubernetesClient(options)
  return keptDiscovery({
    place: kubernetesPlace(client, options),
    watch: (namespace, listener, signal) => watchKubernetes(client, namespace, listener, signal),
  })
}
