// SGLang's KV events of one DP rank: what its cache stored, removed and cleared, in order. Gaps are filled from the replay socket.
import { connectSocket, type ZmtpSocket } from '../../../transport/zmtp/sockets.ts'
import type { KvChange } from '../../types.ts'
import { kvDecoder } from './decode.ts'

export interface KvSource {
  rank: number
  /** ZMQ endpoint of the rank's publisher, as to connect to. */
  endpoint: string
  /** ROUTER that sends old messages again; absent: gaps stay. */
  replayEndpoint?: string
  topic: string
  /** Tokens in a block; blocks of another size are not told. */
  blockSize: number
}

export interface KvListener {
  /** `seq` counts the publisher's messages from 0. */
  changes(seq: number, changes: KvChange[]): void
  /** Messages `from` to `to - 1` are lost for good. */
  lost(from: number, to: number): void
}

const replayWaitMs = 2000
const replayEnd = 0xffff_ffff_ffff_ffffn
/** Follows one rank until closed. Starts with what the replay socket still has, so a late listener misses nothing. */
export function followKvEvents(source: KvSource, listener: KvListener): { close(): void } {
  const order = createOrder(listener, kvDecoder(source.blockSize), () => askReplay())
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
export function createOrder(listener: KvListener, decode: (payload: Uint8Array) => KvChange[], ask: () => void) {
  let expected = 0
  let replaying = true
  let freshConnection = false
  let held: [seq: number, payload: Uint8Array][] = []
  const deliver = (seq: number, payload: Uint8Array) => {
    if (seq > expected) {
      listener.lost(expected, seq)
      // The beginning is what tells that an earlier life's cache is void.
      if (expected === 0) listener.changes(seq - 1, [{ kind: 'cleared' }])
    }
    expected = seq + 1
    let changes: KvChange[]
    try {
      changes = decode(payload)
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
