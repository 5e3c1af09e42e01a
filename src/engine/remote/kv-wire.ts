// What a worker publishes on the event plane and answers to `kv.dump`, as bytes: MessagePack, block names and hashes as raw 32-bit little-endian words.
import { bytesOf, wordsOf } from '../../lib/words.ts'
import { decode, encode } from '../../transport/msgpack.ts'
import type { KvChange, KvTier } from '../types.ts'

/** KV changes of one rank. `seq` counts its messages from 0 within one `epoch`, the life of a publisher. */
export interface KvMessage {
  kind: 'kv'
  epoch: number
  rank: number
  seq: number
  changes: KvChange[]
}

/** All that is newest-wins, said again every second: a listener learns from it that a KV message never came. */
export interface StatusMessage {
  kind: 'status'
  epoch: number
  /** Counts up; an older one is void. */
  order: number
  ranks: RankStatus[]
}

export interface RankStatus {
  rank: number
  /** The number that its next KV message will have. */
  nextSeq: number
  /** Absent until the engine told it. */
  load?: { running: number; waiting: number; usedTokens: number; totalTokens: number }
}

export type WorkerMessage = KvMessage | StatusMessage

/** What a rank held just before its message `nextSeq`. */
export interface KvDump {
  epoch: number
  rank: number
  nextSeq: number
  changes: KvChange[]
}

const tags = { kv: 1, status: 2, dump: 3 } as const
const kinds = { stored: 0, removed: 1, cleared: 2 } as const
const tiers: readonly KvTier[] = ['device', 'host', 'disk', 'external']

export function encodeKv({ epoch, rank, seq, changes }: KvMessage): Uint8Array {
  return encode([tags.kv, epoch, rank, seq, changes.map(packChange)])
}

export function encodeStatus({ epoch, order, ranks }: StatusMessage): Uint8Array {
  const rows = ranks.map(({ rank, nextSeq, load }) =>
    load ? [rank, nextSeq, load.running, load.waiting, load.usedTokens, load.totalTokens] : [rank, nextSeq],
  )
  return encode([tags.status, epoch, order, rows])
}

export function encodeDump({ epoch, rank, nextSeq, changes }: KvDump): Uint8Array {
  return encode([tags.dump, epoch, rank, nextSeq, changes.map(packChange)])
}

/** Undefined for messages of later versions. Throws on bytes that are none. */
export function decodeMessage(bytes: Uint8Array): WorkerMessage | undefined {
  const fields = decode(bytes) as unknown[]
  if (fields[0] === tags.kv) {
    const [, epoch, rank, seq, changes] = fields as [number, number, number, number, unknown[][]]
    return { kind: 'kv', epoch, rank, seq, changes: changes.flatMap(unpackChange) }
  }
  if (fields[0] !== tags.status) return undefined
  const [, epoch, order, rows] = fields as [number, number, number, number[][]]
  const ranks = rows.map(([rank, nextSeq, running, waiting, usedTokens, totalTokens]): RankStatus => {
    const status = { rank: rank!, nextSeq: nextSeq! }
    return running === undefined
      ? status
      : { ...status, load: { running, waiting: waiting!, usedTokens: usedTokens!, totalTokens: totalTokens! } }
  })
  return { kind: 'status', epoch, order, ranks }
}

/** Throws on bytes that are no dump. */
export function decodeDump(bytes: Uint8Array): KvDump {
  const [tag, epoch, rank, nextSeq, changes] = decode(bytes) as [number, number, number, number, unknown[][]]
  if (tag !== tags.dump) throw new Error('not a dump of KV blocks')
  return { epoch, rank, nextSeq, changes: changes.flatMap(unpackChange) }
}

function packChange(change: KvChange): unknown[] {
  if (change.kind === 'cleared') return [kinds.cleared]
  const tier = tiers.indexOf(change.tier)
  if (change.kind === 'removed') return [kinds.removed, tier, bytesOf(change.blocks)]
  return [kinds.stored, tier, bytesOf(change.blocks), change.parent && bytesOf(change.parent), bytesOf(change.local)]
}

function unpackChange(fields: unknown[]): KvChange[] {
  const [kind, at, blocks, parent, local] = fields as [number, number, Uint8Array, Uint8Array | null, Uint8Array]
  if (kind === kinds.cleared) return [{ kind: 'cleared' }]
  const tier = tiers[at] ?? 'device'
  if (kind === kinds.removed) return [{ kind: 'removed', blocks: wordsOf(blocks), tier }]
  if (kind !== kinds.stored) return []
  return [{ kind: 'stored', blocks: wordsOf(blocks), parent: parent && wordsOf(parent), local: wordsOf(local), tier }]
}
