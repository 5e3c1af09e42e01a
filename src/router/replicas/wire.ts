// What frontends tell each other about their bookings, as bytes: MessagePack, block chains as raw 32-bit little-endian words.
import { bytesOf, wordsOf } from '../../lib/words.ts'
import { decode, encode } from '../../transport/msgpack.ts'
import type { BookingEvent } from '../load/bookings.ts'

/** An event of one of the sender's pools. */
export interface PoolEvent {
  readonly pool: string
  readonly event: BookingEvent
}

export type ReplicaMessage =
  /** `seq` counts a frontend's messages of this kind. */
  | { kind: 'events'; from: string; seq: number; events: PoolEvent[] }
  /** Said every second: the number of its next `events`. */
  | { kind: 'beat'; from: string; nextSeq: number }
  /** `of` shall tell a snapshot. */
  | { kind: 'ask'; from: string; of: string }
  /** All that `from` has booked just before its message `nextSeq`, in `parts` messages one behind the other. */
  | { kind: 'snapshot'; from: string; nextSeq: number; part: number; parts: number; events: PoolEvent[] }

const kinds = ['events', 'beat', 'ask', 'snapshot'] as const
const eventKinds = ['add', 'started', 'free'] as const

export function encodeMessage(message: ReplicaMessage): Uint8Array {
  const head = [kinds.indexOf(message.kind), message.from]
  if (message.kind === 'events') return encode([...head, message.seq, message.events.map(pack)])
  if (message.kind === 'beat') return encode([...head, message.nextSeq])
  if (message.kind === 'ask') return encode([...head, message.of])
  return encode([...head, message.nextSeq, message.part, message.parts, message.events.map(pack)])
}

/** Undefined for messages of later versions. Throws on bytes that are none. */
export function decodeMessage(bytes: Uint8Array): ReplicaMessage | undefined {
  const fields = decode(bytes) as [number, string, ...unknown[]]
  const [tag, from] = fields
  const kind = kinds[tag]
  if (kind === 'events') return { kind, from, seq: fields[2] as number, events: (fields[3] as unknown[][]).flatMap(unpack) }
  if (kind === 'beat') return { kind, from, nextSeq: fields[2] as number }
  if (kind === 'ask') return { kind, from, of: fields[2] as string }
  if (kind !== 'snapshot') return undefined
  const [, , nextSeq, part, parts, events] = fields as unknown as [number, string, number, number, number, unknown[][]]
  return { kind, from, nextSeq, part, parts, events: events.flatMap(unpack) }
}

/** About how many bytes it takes. */
export function sizeOf({ event }: PoolEvent): number {
  return event.kind === 'add' ? 100 + event.chain.byteLength : 40
}

function pack({ pool, event }: PoolEvent): unknown[] {
  const head = [pool, eventKinds.indexOf(event.kind), event.key]
  if (event.kind !== 'add') return head
  const { workerId, rank, prefillTokens, ownBlocks, chain } = event
  return [...head, workerId, rank, prefillTokens, ownBlocks, bytesOf(chain)]
}

function unpack(fields: unknown[]): PoolEvent[] {
  const [pool, tag, key, workerId, rank, prefillTokens, ownBlocks, chain] = fields as [
    string,
    number,
    number,
    string,
    number,
    number,
    number,
    Uint8Array,
  ]
  const kind = eventKinds[tag]
  if (kind === undefined) return []
  if (kind !== 'add') return [{ pool, event: { kind, key } }]
  return [{ pool, event: { kind, key, workerId, rank, prefillTokens, ownBlocks, chain: wordsOf(chain) } }]
}
