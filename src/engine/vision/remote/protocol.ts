// What crosses the request plane between remoteEncoder (encoder.ts) and hostEncoder (host.ts). Large rows are not pushed, they are pulled in parts: who made them keeps them
// until then, so that a slow reader costs nothing but its own work.
import { AppError } from '../../../lib/errors.ts'
import { decode, encode } from '../../../transport/msgpack.ts'
import { maxHeadBytes } from '../../../transport/plane/long-head.ts'
import type { MediaItem } from '../../types.ts'
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

/** The body of a `state` or `rows` message, a copy. */
export function decodeMessage<T>(message: Uint8Array): T {
  return decode(message.slice(1)) as T
}

function tagged(kind: number, body: Uint8Array): Uint8Array {
  const out = new Uint8Array(1 + body.length)
  out[0] = kind
  out.set(body, 1)
  return out
}

function unreadable(cause?: unknown): AppError {
  return new AppError('engine_rejected', { message: 'The encode worker could not read the question; does it run another version?', cause })
}
