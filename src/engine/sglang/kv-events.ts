// SGLang's KV events of one DP rank: what its cache stored, removed and cleared, in order. Gaps are filled from the replay socket.
// Both encodings: an event is a map with "type" (0.5.21 and later) or an array that starts with its tag (before).
import { decodeWide } from '../../transport/msgpack.ts'
import { connectSocket, type ZmtpSocket } from '../../transport/zmtp/sockets.ts'
import type { KvChange } from '../types.ts'

export interface KvSource {
  rank: number
  /** ZMQ endpoint of the rank's publisher, as to connect to. */
  endpoint: string
  /** ROUTER that sends old messages again; absent: gaps stay. */
  replayEndpoint?: string
  topic: string
}

export interface KvListener {
  /** `seq` counts the publisher's messages from 0. */
  changes(seq: number, changes: KvChange[]): void
  /** Messages `from` to `to - 1` are lost for good. */
  lost(from: number, to: number): void
}

const replayWaitMs = 2000
const replayEnd = 0xffff_ffff_ffff_ffffn
/** Order of the fields in the array encoding, after the tag. */
const arrayFields = {
  BlockStored: ['block_hashes', 'parent_block_hash', 'token_ids', 'block_size', 'lora_id', 'medium'],
  BlockRemoved: ['block_hashes', 'medium'],
  AllBlocksCleared: [],
} as const

/** Decodes one payload: `[time, [events], rank]`. Event types that are not known are left out. Throws on bytes that are no such message. */
export function decodeKvEvents(payload: Uint8Array): KvChange[] {
  const batch = decodeWide(payload)
  if (!Array.isArray(batch) || !Array.isArray(batch[1])) throw new Error('not a batch of KV events')
  const changes: KvChange[] = []
  for (const event of batch[1]) {
    const fields = fieldsOf(event)
    const medium = typeof fields.medium === 'string' ? fields.medium : 'GPU'
    if (fields.type === 'AllBlocksCleared') changes.push({ kind: 'cleared' })
    else if (fields.type === 'BlockRemoved') changes.push({ kind: 'removed', blockHashes: hashes(fields.block_hashes), medium })
    else if (fields.type === 'BlockStored')
      changes.push({
        kind: 'stored',
        blockHashes: hashes(fields.block_hashes),
        parentHash: fields.parent_block_hash == null ? null : hash(fields.parent_block_hash),
        // Speculative decoding (EAGLE) sends pairs of neighbours: the first of each is the token of the position.
        tokenIds: (fields.token_ids as unknown[]).map((id) => Number(Array.isArray(id) ? id[0] : id)),
        blockSize: Number(fields.block_size),
        medium,
      })
  }
  return changes
}

function fieldsOf(event: unknown): Record<string, unknown> {
  if (!Array.isArray(event)) return event as Record<string, unknown>
  const type = event[0] as keyof typeof arrayFields
  const fields: Record<string, unknown> = { type }
  arrayFields[type]?.forEach((name, i) => {
    fields[name] = event[i + 1]
  })
  return fields
}

const hash = (value: unknown): bigint => BigInt(value as number | bigint)
const hashes = (values: unknown): bigint[] => (values as unknown[]).map(hash)

/** Follows one rank until closed. Starts with what the replay socket still has, so a late listener misses nothing. */
export function followKvEvents(source: KvSource, listener: KvListener): { close(): void } {
  const order = createOrder(listener, () => askReplay())
  let replay: ZmtpSocket | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  const replayDone = () => {
    clearTimeout(timer)
    order.replayed()
  }
  const askReplay = () => {
    const start = new Uint8Array(8)
    new DataView(start.buffer).setBigUint64(0, BigInt(order.next()))
    clearTimeout(timer)
    timer = setTimeout(replayDone, replayWaitMs)
    if (!replay?.send([new Uint8Array(0), start])) replayDone()
  }
  if (source.replayEndpoint)
    replay = connectSocket({
      type: 'DEALER',
      endpoint: source.replayEndpoint,
      onReady: askReplay,
      onMessage(parts) {
        const seq = readSeq(parts[parts.length - 2])
        if (seq === replayEnd) replayDone()
        else order.old(Number(seq), parts[parts.length - 1]!)
      },
    })
  else order.replayed()
  const live = connectSocket({
    type: 'SUB',
    endpoint: source.endpoint,
    topics: [source.topic],
    onReady: () => order.connected(),
    onMessage: (parts) => order.live(Number(readSeq(parts[1])), parts[2]!),
  })
  return {
    close() {
      clearTimeout(timer)
      live.close()
      replay?.close()
    },
  }
}

function readSeq(part: Uint8Array | undefined): bigint {
  if (part?.length !== 8) return replayEnd
  return new DataView(part.buffer, part.byteOffset, 8).getBigUint64(0)
}

/**
 * Puts live and replayed messages into one order without gaps or doubles. Holds live ones back while a replay runs.
 * `ask` is called when a message is missing.
 */
export function createOrder(listener: KvListener, ask: () => void) {
  let expected = 0
  let replaying = true
  let freshConnection = false
  let held: [seq: number, payload: Uint8Array][] = []
  const deliver = (seq: number, payload: Uint8Array) => {
    if (seq > expected) listener.lost(expected, seq)
    expected = seq + 1
    let changes: KvChange[]
    try {
      changes = decodeKvEvents(payload)
    } catch {
      listener.lost(seq, seq + 1) // Not readable is as good as not there.
      return
    }
    listener.changes(seq, changes)
  }
  const live = (seq: number, payload: Uint8Array) => {
    if (freshConnection && seq < expected) {
      // A publisher that counts from the start again: its cache began empty.
      listener.changes(seq, [{ kind: 'cleared' }])
      expected = 0
    }
    freshConnection = false
    if (seq < expected) return
    if (seq === expected && !replaying) return deliver(seq, payload)
    held.push([seq, payload])
    if (replaying) return
    replaying = true
    ask()
  }
  return {
    next: () => expected,
    connected() {
      freshConnection = true
    },
    live,
    old(seq: number, payload: Uint8Array) {
      if (replaying && seq >= expected) deliver(seq, payload)
    },
    /** The replay is over, complete or not: what was held goes out, and what is still missing is lost. */
    replayed() {
      if (!replaying) return
      replaying = false
      const ready = held
      held = []
      for (const [seq, payload] of ready) if (seq >= expected) deliver(seq, payload)
    },
  }
}
