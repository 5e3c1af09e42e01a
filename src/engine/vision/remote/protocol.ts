// What crosses the request plane between remoteEncoder (encoder.ts) and hostEncoder (host.ts). Large rows are not pushed, they are pulled in parts: who made them keeps them
// until then, so that a slow reader costs nothing but its own work.
import { AppError } from '../../../lib/errors.ts'
import { decode, encode } from '../../../transport/msgpack.ts'
import { maxHeadBytes } from '../../../transport/plane/long-head.ts'
import type { MediaItem } from '../../types.ts'
import { bytesPerValue } from '../embeddings.ts'
import type { Embeddings, EncoderInfo } from '../vision.ts'

/** First byte of a head; apart from those of other workers, who refuse it by name. */
export const operations = { encode: 48, part: 49, watch: 50 } as const

/** First byte of a message. */
export const messages = { state: 1, rows: 2, part: 3 } as const

/** Bytes of one part, below what a stream may hold for a slow peer. */
export const partBytes = 1 << 20

/** Of a picture or clip with all its frames: a head of the plane, less what is said besides. */
export const maxItemBytes = maxHeadBytes - 1024 * 1024

export interface EncodeHead {
  /** Names the rows for their parts: random, since all callers share the names. */
  job: string
  /** The same as the caller's `watch`. */
  caller: string
  item: MediaItem
}

export interface PartHead {
  job: string
  start: number
}

export interface WatchHead {
  caller: string
}

/** What the far encoder is at the moment; told at once and after each change. */
export interface FarState {
  ready: boolean
  reason: string
  /** Waiting and running there for other callers. */
  others: number
  /** As soon as it has started. */
  info?: EncoderInfo
}

/** Rows that were made: whole, or their size when they are to be pulled. */
export interface FarRows {
  rows: number
  dim: number
  type: Embeddings['type']
  grid: readonly [number, number, number]
  /** Hexadecimal. */
  itemHash: string
  size: number
  bytes?: Uint8Array
  /** Milliseconds that the worker had the question before it had the rows. */
  ms?: number
}

export function encodeHead(operation: number, value: EncodeHead | PartHead | WatchHead): Uint8Array {
  return tagged(operation, encode(value))
}

/** A copy of what the head says. Throws AppError `engine_rejected` on what is no such head. */
export function decodeHead<T>(head: Uint8Array, fields: readonly (keyof T & string)[]): T {
  let value: unknown
  try {
    value = decode(head.slice(1))
  } catch (cause) {
    throw unreadable(cause)
  }
  if (typeof value !== 'object' || value === null || fields.some((name) => (value as Record<string, unknown>)[name] === undefined))
    throw unreadable()
  return value as T
}

export function encodeMessage(kind: number, value: FarState | FarRows): Uint8Array {
  return tagged(kind, encode(value))
}

export function encodePart(bytes: Uint8Array): Uint8Array {
  return tagged(messages.part, bytes)
}

/** The picture of a question, as far as an encoder looks at it before its tower does. Throws AppError `engine_rejected`. */
export function checkItem(item: MediaItem): MediaItem {
  const { kind, file, hash, grid, tokens, frames = [] } = item ?? {}
  const files = Array.isArray(frames) && [file, ...frames].every((bytes) => bytes instanceof Uint8Array)
  if (!files || typeof kind !== 'string' || typeof hash !== 'string' || !isGrid(grid) || !isCount(tokens)) throw unreadable()
  return item
}

/** The body of a `state` message, a copy. Throws AppError `engine_failed`, as readRows does. */
export function readState(message: Uint8Array): FarState {
  const state = body<FarState>(message, messages.state)
  const { ready, others, info } = state
  const known = info === undefined || (isCount(info?.dim) && info.type in bytesPerValue && typeof info.domain === 'string')
  if (typeof ready !== 'boolean' || !Number.isFinite(others) || !known) throw notOurs()
  return state
}

/** The body of a `rows` message, a copy. */
export function readRows(message: Uint8Array): FarRows {
  const made = body<FarRows>(message, messages.rows)
  const { rows, dim, type, grid, itemHash, size, bytes } = made
  const measured = isCount(rows) && isCount(dim) && isGrid(grid) && type in bytesPerValue && size === rows * dim * bytesPerValue[type]
  const whole = bytes === undefined || (bytes instanceof Uint8Array && bytes.length === size)
  if (!measured || !whole || !/^[\da-f]{1,16}$/.test(itemHash)) throw notOurs()
  return made
}

/** The answer of a worker that cannot be read. */
export function notOurs(cause?: unknown): AppError {
  return new AppError('engine_failed', { message: "The encode worker's answer could not be read; does it run another version?", cause })
}

function body<T>(message: Uint8Array, kind: number): T {
  let value: unknown
  try {
    value = decode(message.slice(1))
  } catch (cause) {
    throw notOurs(cause)
  }
  if (message[0] !== kind || typeof value !== 'object' || value === null) throw notOurs()
  return value as T
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0

const isGrid = (value: unknown): boolean => Array.isArray(value) && value.length === 3 && value.every(isCount)

function tagged(kind: number, body: Uint8Array): Uint8Array {
  const out = new Uint8Array(1 + body.length)
  out[0] = kind
  out.set(body, 1)
  return out
}

function unreadable(cause?: unknown): AppError {
  return new AppError('engine_rejected', { message: 'The encode worker could not read the question; does it run another version?', cause })
}
