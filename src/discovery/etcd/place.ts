// Puts cards into etcd, each under a lease of its own. The lease cleans up behind a dead process; that it is *renewed* is the sign of life that watchers look at.
// Heartbeats as values would be quicker to read but fill etcd's history; a renewal writes nothing.
import type { Card } from '../discovery.ts'
import type { CardPlace } from '../kept-card.ts'
import { safeName } from '../safe-name.ts'
import { base64, type EtcdClient } from './client.ts'

/** etcd allows no less than one and a half election timeouts, seconds in some clusters; watchers do not wait for it. */
const ttlSecs = 10
/** A key that someone deleted under a living lease is missed after so many beats. */
const verifyEvery = 5

export const prefixOf = (namespace: string): string => `/dynamo-sglang/v1/${safeName(namespace)}/`
const keyOf = (card: Card): string => base64(prefixOf(card.namespace) + safeName(card.id))

export function etcdPlace(client: EtcdClient): CardPlace {
  const leases = new Map<string, string>()
  let beats = 0

  /** False: there is no such lease any more. */
  async function renew(lease: string): Promise<boolean> {
    const renewed = await client.call<{ result?: { TTL?: string } }>('/v3/lease/keepalive', { ID: lease })
    return Number(renewed.result?.TTL ?? 0) > 0
  }
  async function put(card: Card): Promise<void> {
    const key = keyOf(card)
    let lease = leases.get(key)
    // Cards that change all the time leave no time for beats: showing one is a sign of life too.
    if (lease === undefined || !(await renew(lease))) {
      lease = (await client.call<{ ID: string }>('/v3/lease/grant', { TTL: String(ttlSecs), ID: '0' })).ID
      leases.set(key, lease)
    }
    await client.call('/v3/kv/put', { key, value: base64(JSON.stringify(card)), lease })
  }

  return {
    name: client.name,
    async show(card) {
      try {
        await put(card)
      } catch (error) {
        // Perhaps the lease is not there any more: the next try asks for a new one. One that is there runs out by itself.
        leases.delete(keyOf(card))
        throw error
      }
    },
    async beat(card) {
      const key = keyOf(card)
      const lease = leases.get(key)
      if (lease === undefined || !(await renew(lease))) {
        leases.delete(key)
        return false
      }
      if (++beats % verifyEvery !== 0) return true
      return Number((await client.call<{ count?: string }>('/v3/kv/range', { key, count_only: true })).count ?? 0) > 0
    },
    async hide(card) {
      const key = keyOf(card)
      const lease = leases.get(key)
      leases.delete(key)
      if (lease !== undefined) await client.call('/v3/lease/revoke', { ID: lease })
    },
  }
}
