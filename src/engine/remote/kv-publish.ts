// The worker's side of the event plane: what its engine tells goes out in order, numbered by rank, in one message a rank and turn;
// dumps answer who missed some. Everything is in the mirror before it is published, so a dump is never older than what was said.
import { markTurn, type TurnEnd } from '../../lib/turn.ts'
import type { Engine } from '../engine.ts'
import { kvMirror } from '../kv-mirror.ts'
import type { EngineEvent, KvChange } from '../types.ts'
import { batches } from './kv-batches.ts'
import { encodeDump, encodeKv, encodeStatus, type RankStatus } from './kv-wire.ts'

export interface PublishedEvents {
  /** The answer to `kv.dump {rank}`; for decodeDump. */
  dump(rank: number): Uint8Array
  /** Blocks known to lie on a rank. */
  size(rank: number): number
  close(): void
}

interface Publishing {
  /** Names this life of the publisher; any number that the last one did not have. */
  epoch?: number
  /** How often the status is said without a reason. */
  beatMs?: number
}

/** Blocks in host memory, on disk and in outside stores that are kept track of, per block of the device. */
const lowerPerDevice = 8

/** Publishes `kv` and `load` of a started engine until closed. */
export function publishEvents(
  engine: Pick<Engine, 'info' | 'on'>,
  publish: (message: Uint8Array) => void,
  { epoch = Math.floor(Math.random() * 2 ** 48), beatMs = 1000 }: Publishing = {},
): PublishedEvents {
  const { totalKvTokens, blockSize, dpSize } = engine.info
  const device = Math.max(1, Math.ceil(totalKvTokens / blockSize))
  const mirror = kvMirror({ device, lower: lowerPerDevice * device })
  const ranks: RankStatus[] = Array.from({ length: dpSize }, (_, rank) => ({ rank, nextSeq: 0 }))
  let pending = new Map<number, KvChange[]>()
  let order = 0
  let statusChanged = true

  function take(event: EngineEvent): void {
    if (event.kind === 'kv') {
      const waiting = pending.get(event.rank) ?? []
      if (waiting.length === 0) pending.set(event.rank, waiting)
      for (const change of event.changes) waiting.push(change, ...mirror.apply(event.rank, change))
    } else if (event.kind === 'load') {
      const { running, waiting, usedTokens, totalTokens } = event
      const status = ranks[event.rank]
      if (status) status.load = { running, waiting, usedTokens, totalTokens }
      statusChanged = true
    } else return // Whether it is ready stands in its card.
    markTurn(turn)
  }

  function flushKv(): void {
    if (pending.size === 0) return
    const told = pending
    pending = new Map()
    for (const [rank, all] of told) {
      const status = ranks[rank]
      if (status === undefined) continue
      for (const changes of batches(all)) publish(encodeKv({ kind: 'kv', epoch, rank, seq: status.nextSeq++, changes }))
    }
  }

  function sayStatus(): void {
    statusChanged = false
    publish(encodeStatus({ kind: 'status', epoch, order: order++, ranks }))
  }

  const turn: TurnEnd = {
    marked: false,
    turnEnd() {
      flushKv()
      if (statusChanged) sayStatus()
    },
  }
  const off = engine.on(take)
  const beat = setInterval(sayStatus, beatMs)
  beat.unref()
  sayStatus()
  return {
    dump(rank) {
      flushKv() // What the mirror has must not be told again behind the dump.
      return encodeDump({ epoch, rank, nextSeq: ranks[rank]?.nextSeq ?? 0, changes: mirror.dump(rank) })
    },
    size: (rank) => mirror.size(rank),
    close() {
      off()
      clearInterval(beat)
    },
  }
}
