// What an encode worker tells about itself to language workers: how to reach it, and whose pictures it encodes. Discovery carries it as plain JSON.
import { AppError } from '../../../lib/errors.ts'

export interface EncoderCard {
  /** Unique among all workers of the deployment; a restarted process has a new one. */
  readonly id: string
  /** dyn://namespace.component.endpoint */
  readonly endpoint: string
  /** Where pictures go: `tcp://host:port/…` or `nats://subject`. */
  readonly address: string
  /** Of its model; the first is the id. */
  readonly names: readonly string[]
  /** Sum of the model's config.json: the same model under another name. */
  readonly config: string
  /** Values in a row. */
  readonly dim: number
  /** Cache domain (EncoderInfo.domain), for people. */
  readonly domain: string
  /** `http://host:port` for SGLang's own language servers, where it serves them. */
  readonly url?: string
  readonly startedAt: number
}

/** A card's body as another process wrote it. Throws AppError `invalid_value` naming what is missing: versions may differ. */
export function readEncoderCard(body: Readonly<Record<string, unknown>>): EncoderCard {
  const card = body as unknown as EncoderCard
  const wrong = (what: string) =>
    new AppError('invalid_value', { message: `An encode worker's card has no usable ${what}; does it run another version?` })
  for (const name of ['id', 'endpoint', 'address', 'config', 'domain'] as const) if (typeof card[name] !== 'string') throw wrong(name)
  if (!Array.isArray(card.names) || card.names.length === 0 || !card.names.every((name) => typeof name === 'string')) throw wrong('names')
  if (!Number.isInteger(card.dim) || card.dim < 1) throw wrong('dim')
  return card
}
