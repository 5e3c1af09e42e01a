// What a worker tells about itself to every frontend: how to reach it, what it serves, what it can hold. Discovery carries it as plain JSON.
import { AppError } from '../../lib/errors.ts'
import type { EngineInfo } from '../types.ts'

export interface WorkerCard {
  /** Unique among all workers of the deployment; a restarted process has a new one. */
  readonly id: string
  /** dyn://namespace.component.endpoint */
  readonly endpoint: string
  /** Where requests go: `tcp://host:port` or `nats://subject`. */
  readonly address: string
  /** Where its events come from: `zmq://host:port` or `nats://subject`. */
  readonly events: string
  readonly model: ModelCard
  readonly info: EngineInfo
  /** False: it lives but takes no requests now (starting again, paused, draining). */
  readonly ready: boolean
  /** How often an answer may move to another worker. */
  readonly migrationLimit: number
  readonly startedAt: number
}

/** What clients and frontends need to know of the model; its small files are fetched over the request plane by their checksums. */
export interface ModelCard {
  /** The first is the id, the others are aliases. */
  readonly names: readonly string[]
  /** As the worker's user gave it. */
  readonly path: string
  /** name → size and SHA-256 (hex): tokenizer, config, chat template. Equal sums on this machine need no copy. */
  readonly files: Readonly<Record<string, { bytes: number; sha256: string }>>
  readonly contextLength: number
  readonly isEmbedding: boolean
  readonly engineTokenizes: boolean
  readonly customTemplate?: string
  readonly toolCallParser?: string
  readonly reasoningParser?: string
}

/** A router makes room for every rank and divides by the block size: one wrong card must not stop the workers beside it. */
const ranges = [
  ['contextLength', [1, Number.MAX_SAFE_INTEGER]],
  ['blockSize', [1, 1 << 20]],
  ['dpSize', [1, 4096]],
  ['totalKvTokens', [0, Number.MAX_SAFE_INTEGER]],
  ['maxRunningRequests', [0, Number.MAX_SAFE_INTEGER]],
  ['vocabSize', [0, Number.MAX_SAFE_INTEGER]],
] as const

/** A card's body as another process wrote it. Throws AppError `invalid_value` naming what is missing: versions may differ. */
export function readWorkerCard(body: Readonly<Record<string, unknown>>): WorkerCard {
  const card = body as unknown as WorkerCard
  const wrong = (what: string) =>
    new AppError('invalid_value', { message: `A worker's card has no usable ${what}; does it run another version?` })
  for (const name of ['id', 'endpoint', 'address', 'events'] as const) if (typeof card[name] !== 'string') throw wrong(name)
  const { model, info } = card
  if (!Array.isArray(model?.names) || !model.names.every((name) => typeof name === 'string') || model.names.length === 0)
    throw wrong('model.names')
  if (typeof model.path !== 'string' || typeof model.files !== 'object' || model.files === null) throw wrong('model.files')
  for (const [name, [least, most]] of ranges) {
    const value = info?.[name]
    if (!Number.isInteger(value) || value < least || value > most) throw wrong(`info.${name}`)
  }
  if (!['aggregated', 'prefill', 'decode', 'encode'].includes(info.role)) throw wrong('info.role')
  return card
}
