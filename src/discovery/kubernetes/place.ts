// Keeps cards in Lease objects.
import type { CardPlace } from '../kept-card.ts'
import type { KubernetesOptions } from '../options.ts'
import { isStatus, type KubernetesClient } from './client.ts'
import { leaseName, leaseOf, renewTime } from './lease.ts'

/** Each renewal is a write to the cluster's etcd, so a little less often than elsewhere. */
const renewMs = 600

export function kubernetesPlace(client: KubernetesClient, options: KubernetesOptions): CardPlace {
  return {
    name: client.name,
    beatMs: renewMs,
    async show(card) {
      const lease = leaseOf(card, options)
      try {
        await client.patch(lease.metadata.name, lease)
      } catch (error) {
        if (!isStatus(error, 404)) throw error
        await client.create(lease)
      }
    },
    async beat(card) {
      try {
        await client.patch(leaseName(card), { spec: { renewTime: renewTime() } })
        return true
      } catch (error) {
        if (isStatus(error, 404)) return false
        throw error
      }
    },
    async hide(card) {
      try {
        await client.remove(leaseName(card))
      } catch (error) {
        if (!isStatus(error, 404)) throw error
      }
    },
  }
}
