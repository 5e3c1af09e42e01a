// What a media worker tells about itself to every frontend: how to reach it, what it makes, and how much waits there. Discovery carries it as plain JSON.
import { AppError } from '../../../lib/errors.ts'
import type { MakerInfo } from '../media.ts'

export interface MediaCard {
  /** Unique among all workers of the deployment; a restarted process has a new one. */
  readonly id: string
  /** dyn://namespace.component.endpoint */
  readonly endpoint: string
  /** Where jobs go: `tcp://host:port/…` or `nats://subject`. */
  readonly address: string
  /** The first is the id, the others are aliases. */
  readonly names: readonly string[]
  readonly info: MakerInfo
  /** False: it lives but takes no jobs now (starting again, draining). */
  readonly ready: boolean
  /** Jobs of all frontends that wait or run there, as of a moment ago. */
  readonly pending?: number
  /** What runs there, for people (/health of a frontend). */
  readonly engine?: { readonly kind: string; readonly level: string; readonly version: string; readonly model: string }
  readonly startedAt: number
}

/** A card's body as another process wrote it. Throws AppError `invalid_value` naming what is missing: versions may differ. */
export function readMediaCard(body: Readonly<Record<string, unknown>>): MediaCard {
  const card = body as unknown as MediaCard
  const wrong = (what: string) =>
    new AppError('invalid_value', { message: `A media worker's card has no usable ${what}; does it run another version?` })
  for (const name of ['id', 'endpoint', 'address'] as const) if (typeof card[name] !== 'string') throw wrong(name)
  if (!Array.isArray(card.names) || card.names.length === 0 || !card.names.every((name) => typeof name === 'string')) throw wrong('names')
  const { info } = card
  if (info?.makes !== 'image' && info?.makes !== 'video') throw wrong('info.makes')
  for (const name of ['sizeMultiple', 'frameMultiple', 'replicas'] as const)
    if (!Number.isInteger(info[name]) || info[name] < 1) throw wrong(`info.${name}`)
  if (info.queueLimit !== undefined && !Number.isInteger(info.queueLimit)) throw wrong('info.queueLimit')
  for (const name of ['width', 'height', 'steps', 'guidance', 'frames', 'fps'] as const)
    if (!Number.isFinite(info.defaults?.[name])) throw wrong(`info.defaults.${name}`)
  return card
}
