// The encode workers that a language process knows: their cards come and go (discovery), each that is of its model becomes an encoder of its pool.
import type { CardChange } from '../../discovery/discovery.ts'
import type { VisionPool } from '../../engine/vision/pool/pool.ts'
import { type EncoderCard, readEncoderCard } from '../../engine/vision/remote/card.ts'
import { remoteEncoder } from '../../engine/vision/remote/encoder.ts'
import { toAppError } from '../../lib/errors.ts'
import { log } from '../../lib/log.ts'
import { stageTimer } from '../../lib/vision-stages.ts'
import type { PlaneClient } from '../../transport/request-plane.ts'
import type { SeeingModel } from './model.ts'

export interface EncodeFleet {
  /** Cards of other kinds, and of other models, mean nothing here. */
  change(change: CardChange): void
  /** How many there are. */
  size(): number
}

/** Nothing happens until cards come. */
export function encodeFleet(
  pool: VisionPool,
  model: Pick<SeeingModel, 'names' | 'config' | 'dim'>,
  connect: (address: string) => PlaneClient,
): EncodeFleet {
  /** By card id, the address. */
  const members = new Map<string, string>()

  function add({ id, address }: EncoderCard): void {
    members.set(id, address)
    pool.add(id, remoteEncoder(connect(address), stageTimer(model.names[0]!)))
    log.info({ worker: id, model: model.names[0], address }, 'encode worker joined')
  }

  function remove(id: string, reason: string): void {
    if (!members.delete(id)) return
    log.info({ worker: id, model: model.names[0] }, reason)
    pool.remove(id).catch((error) => log.warn({ worker: id, err: error }, 'an encode worker could not be left'))
  }

  return {
    size: () => members.size,
    change({ kind, card }) {
      if (card.kind !== 'encode-worker') return
      if (kind === 'gone') return remove(card.id, 'encode worker left')
      let body: EncoderCard
      try {
        body = readEncoderCard(card.body)
      } catch (thrown) {
        return log.error({ card: card.id, reason: toAppError(thrown).message }, 'an encode worker cannot be used')
      }
      const known = members.get(card.id)
      if (!isOurs(body, model)) return remove(card.id, 'encode worker changed')
      if (known === body.address) return
      if (known !== undefined) remove(card.id, 'encode worker changed')
      if (body.dim !== model.dim)
        return log.error(
          { worker: body.id, model: model.names[0], dim: body.dim, wanted: model.dim },
          'this encode worker makes rows of another width than the language model reads; it is not used',
        )
      add(body)
    },
  }
}

/** Of one model: a name is shared, or the files are the same (folders may be called differently on each host). */
function isOurs({ names, config }: EncoderCard, model: Pick<SeeingModel, 'names' | 'config'>): boolean {
  return config === model.config || names.some((name) => model.names.includes(name))
}
