// What the bridge says besides rows: refusals, aborts in the queue, replies, load and state.
import { decode } from '../../transport/msgpack.ts'
import type { Calls } from './control.ts'
import { refused } from './facts.ts'
import { toUs } from './frames.ts'
import type { LoadListener } from './load.ts'
import { toFinish } from './requests/finish.ts'
import type { Rows } from './requests/rows.ts'
import type { Slots } from './requests/slots.ts'

export interface MessageEvents {
  load: LoadListener
  paused(paused: boolean): void
}

/** Hands one control message (WIRE.md) to its part. Types that are not known are left alone. Throws on bytes that are no msgpack. */
export function takeMessage(type: number, bytes: Uint8Array, slots: Slots, rows: Rows, calls: Calls, events: MessageEvents): void {
  const message = decode(bytes) as unknown[]
  if (type === toUs.error) {
    const [, slot, gen, status, errorType, text] = message as [number, number, number, number, string, string]
    const running = slots.find(slot, gen)
    if (!running) return
    rows.finish(running)
    slots.fail(running, refused(status, errorType, text))
  } else if (type === toUs.aborted) {
    const [, slot, gen, finish] = message as [number, number, number, unknown[]]
    const running = slots.find(slot, gen)
    if (!running) return
    rows.finish(running)
    slots.end(running, toFinish('abort', null, finish?.[2], finish?.[3], finish?.[4]))
  } else if (type === toUs.reply) calls.reply(message[1] as number, message[2] as boolean, message[3])
  else if (type === toUs.load) {
    const [, rank, running, waiting, used, max] = message as number[]
    events.load(rank!, running!, waiting!, used!, max!)
  } else if (type === toUs.state) events.paused((message[1] as { paused?: boolean }).paused === true)
}
