// The KV events of every rank whose publisher runs on this host, as events of the engine.
import type { EngineEvent } from '../../types.ts'
import type { Ready } from '../frames.ts'
import { followKvEvents } from './follow.ts'

/** Follows what `ready` names until closed. `notice` hears of what is lost for good. */
export function followRanks(
  { kv_events: sources = [], block_size: blockSize }: Pick<Ready, 'kv_events' | 'block_size'>,
  emit: (event: EngineEvent) => void,
  notice: (text: string) => void,
): { close(): void } {
  const followers = sources.map(({ rank, endpoint, topic, replay }) =>
    followKvEvents(
      { rank, endpoint, topic, blockSize, ...(replay ? { replayEndpoint: replay } : {}) },
      {
        changes: (seq, changes) => emit({ kind: 'kv', rank, seq, changes }),
        lost: (from, to) => notice(`KV events ${from} to ${to - 1} of rank ${rank} are lost`),
      },
    ),
  )
  return {
    close() {
      for (const follower of followers) follower.close()
    },
  }
}
