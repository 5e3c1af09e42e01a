// What crosses the request plane between remoteMaker (maker.ts) and hostMaker (host.ts). Files are not pushed, they are pulled in parts: who
// makes them keeps them until then, so that a slow reader costs memory only there, and never more than its own job's.
import { AppError } from '../../../lib/errors.ts'
import { decode, encode, tagged } from '../../../transport/msgpack.ts'
import type { EncodedFile, Made, MediaRequest } from '../media.ts'

/** First byte of a head; apart from those of text engines, whose workers would refuse it by name. */
export const operations = { make: 32, part: 33, control: 34 } as const

/** First byte of a message. */
export const messages = { event: 1, part: 2, value: 3 } as const

/** Bytes of one part, below what a stream may hold for a slow peer. */
export const partBytes = 1 << 20

/** A file that can be pulled as `blob` of its job. */
export interface FarFile extends Omit<EncodedFile, 'bytes'> {
  blob: number
  size: number
}

/** What happens to a job, in order. `made` comes last; its files are blobs too. */
export type MakeEvent =
  | ['queued', ahead: number]
  | ['started']
  | ['progress', step: number, steps: number, output: number, fraction: number]
  | ['partial', output: number, index: number, file: FarFile]
  | ['output', index: number, file: FarFile]
  | ['frame', index: number, blob: number, size: number]
  | ['made', made: Omit<Made, 'files'>, files: FarFile[]]

/** What the caller of a job listens to: nothing else is sent. */
export interface MakeHead {
  /** Names the job on this connection, for its parts. */
  job: string
  request: MediaRequest
  wants: readonly ('partial' | 'output' | 'frame')[]
}

export interface PartHead {
  job: string
  blob: number
  start: number
}

export function encodeHead(operation: number, value: unknown): Uint8Array {
  return tagged(operation, encode(value))
}

/** Throws AppError `engine_rejected` on what is no such head. */
export function decodeHead<T>(head: Uint8Array, fields: readonly (keyof T & string)[]): T {
  let value: unknown
  try {
    value = decode(head.subarray(1))
  } catch (cause) {
    throw unreadable(cause)
  }
  if (typeof value !== 'object' || value === null || fields.some((name) => (value as Record<string, unknown>)[name] === undefined))
    throw unreadable()
  return value as T
}

export function encodeEvent(event: MakeEvent): Uint8Array {
  return tagged(messages.event, encode(event))
}

export function encodeValue(value: unknown): Uint8Array {
  return tagged(messages.value, encode(value ?? null))
}

export function encodePart(bytes: Uint8Array): Uint8Array {
  return tagged(messages.part, bytes)
}

/** The body of an `event` or `value` message; its bytes are a copy. */
export function decodeBody(message: Uint8Array): unknown {
  return decode(message.slice(1))
}

function unreadable(cause?: unknown): AppError {
  return new AppError('engine_rejected', { message: 'The media worker could not read the job; does it run another version?', cause })
}
