// Replica sync of a whole frontend: its routers' pools shared by name, the other frontends known from their cards.
import type { Card, CardChange } from '../../discovery/discovery.ts'
import type { ModelRouter } from '../create.ts'
import type { Workers } from '../workers.ts'
import type { Replicas } from './replicas.ts'

/**
 * Shares every pool of a model's router, also those that come later. `workers` are the router's: others may have booked on a new one already.
 * The returned function ends it.
 */
export function shareRouter(
  replicas: Replicas,
  model: string,
  router: Pick<ModelRouter, 'pools' | 'onPool'>,
  workers: Pick<Workers, 'on'>,
): () => void {
  const ends = [workers.on(({ kind }) => kind === 'added' && replicas.renew())]
  const share = (name: string, pool: Parameters<Replicas['share']>[1]) => ends.push(replicas.share(`${model}/${name}`, pool))
  for (const [name, pool] of router.pools()) share(name, pool)
  ends.push(router.onPool(share))
  return () => {
    for (const end of ends.splice(0)) end()
  }
}

/** What a frontend announces so that others share bookings with it. `id` is the one that its replicas were made with. */
export function frontendCard(id: string, namespace: string, replicas: Pick<Replicas, 'address'>): Card {
  return { id, kind: 'frontend', namespace, body: { events: replicas.address } }
}

/** To be told every change of cards; those of workers do not matter here. */
export function noteCard(replicas: Replicas, { kind, card }: CardChange): void {
  if (card.kind === 'worker') return
  if (kind === 'gone') replicas.leave(card.id)
  else if (typeof card.body.events === 'string') replicas.join(card.id, card.body.events)
}
