// Shows running encoders to language workers elsewhere: a port that answers for them, and last their card, so that nobody finds them too early.
import type { Discovery } from '../../discovery/discovery.ts'
import { decodeNamed, encodeBody, operations as engineOperations, messages } from '../../engine/remote/protocol.ts'
import { cachedEncoder } from '../../engine/vision/cache.ts'
import type { EncoderCard } from '../../engine/vision/remote/card.ts'
import { hostEncoder } from '../../engine/vision/remote/host.ts'
import { operations } from '../../engine/vision/remote/protocol.ts'
import { AppError } from '../../lib/errors.ts'
import type { PlaneService } from '../../transport/request-plane.ts'
import type { Planes } from '../fleet/planes.ts'
import type { Encoders } from '../vision/encoders.ts'
import { countOpen } from './open-streams.ts'

export interface EncoderParts {
  /** Unique in the deployment, another for each life. */
  id: string
  encoders: Encoders
  endpoint: string
  namespace: string
  /** Of the gateway for SGLang's own language servers. */
  url: string | undefined
  draining(): boolean
}

export interface HostedEncoder {
  readonly card: EncoderCard
  /** Pictures and parts of rows that others are asking for. */
  open(): number
  /** Out of sight: nobody sends anything new; what runs goes on. */
  withdraw(): Promise<void>
  /** What watches hear of `draining`. */
  tell(): void
  close(): Promise<void>
}

/** The encoders have started; they stay the caller's. What was opened is closed again when a later step rejects. */
export async function hostEncoders(parts: EncoderParts, planes: Planes, discovery: Discovery): Promise<HostedEncoder> {
  const { id, encoders, endpoint, namespace, url, draining } = parts
  const { model, pool, cache } = encoders
  const encoder = cachedEncoder(pool, cache)
  await encoder.start()
  const host = hostEncoder(encoder, { draining, otherwise: answerCard(() => card) })
  const counted = countOpen(host.service, { counts: (head) => head[0] !== operations.watch })
  const server = await planes.serve(counted.service)
  const { dim, domain } = encoder.info
  const card: EncoderCard = {
    ...{ id, endpoint, address: server.address, names: model.names, config: model.config, dim, domain },
    ...(url === undefined ? {} : { url }),
    startedAt: Date.now(),
  }
  const announcement = await discovery.announce({ id, kind: 'encode-worker', namespace, body: { ...card } }).catch(async (error) => {
    host.close()
    await server.close()
    throw error
  })
  return {
    card,
    open: counted.open,
    tell: host.tell,
    withdraw: () => announcement.withdraw(),
    async close() {
      await announcement.withdraw()
      host.close()
      await server.close()
    },
  }
}

/** What processes that were told our address ask first: who is there. */
function answerCard(card: () => EncoderCard): PlaneService {
  return (head, stream) => {
    if (head[0] !== engineOperations.call || decodeNamed(head)[0] !== 'card')
      return stream.fail(new AppError('engine_rejected', { message: 'This worker encodes pictures, it answers no text requests.' }))
    stream.send(encodeBody(messages.value, { ...card(), kind: 'encode-worker' }))
    stream.end()
  }
}
