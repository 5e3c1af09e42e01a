// The other frontends of a namespace: each shows a card with the address of its bookings, so that all of them see the whole load.
import type { CardChange, Discovery } from '../../discovery/discovery.ts'
import { log } from '../../lib/log.ts'
import type { ModelRouter } from '../../router/create.ts'
import { createReplicas, type Replicas } from '../../router/replicas/replicas.ts'
import type { EventPlane } from '../../transport/event-plane.ts'

export interface Peers {
  /** Shares what this router books; `model` names it for the others. The returned function ends it. */
  share(model: string, router: ModelRouter): () => void
  /** A card that is not a worker's. */
  change(change: CardChange): void
  /** A worker came that others may have booked on already. */
  renew(): void
  close(): void
}

/** Announces this frontend. `id` names this life of it. */
export async function joinPeers(plane: EventPlane, discovery: Discovery, namespace: string, id: string): Promise<Peers> {
  const replicas = await createReplicas({ plane, id })
  try {
    await discovery.announce({ id, kind: 'frontend', namespace, body: { events: replicas.address } })
  } catch (error) {
    replicas.close()
    throw error
  }
  return {
    share: (model, router) => sharePools(replicas, model, router),
    change({ kind, card }) {
      if (card.kind !== 'frontend' || card.id === id) return
      const { events } = card.body
      if (kind === 'gone') replicas.leave(card.id)
      else if (typeof events === 'string') replicas.join(card.id, events)
      log.info({ frontend: card.id }, kind === 'gone' ? 'another frontend left' : 'another frontend shares its bookings')
    },
    renew: () => replicas.renew(),
    close: () => replicas.close(),
  }
}

function sharePools(replicas: Replicas, model: string, router: ModelRouter): () => void {
  const ends = [...router.pools()].map(([name, pool]) => replicas.share(`${model}/${name}`, pool))
  const off = router.onPool((name, pool) => ends.push(replicas.share(`${model}/${name}`, pool)))
  return () => {
    off()
    for (const end of ends) end()
  }
}
