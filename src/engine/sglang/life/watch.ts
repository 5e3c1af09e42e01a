// Nobody waits for ever on an engine that lives but is silent: what `Silence` finds out, and what is done about it.
import { AppError } from '../../../lib/errors.ts'
import type { Engine } from '../../engine.ts'
import type { Calls } from '../control.ts'
import { abortFrame } from '../frames.ts'
import type { Bridge } from '../launch/launch.ts'
import type { Rows } from '../requests/rows.ts'
import type { Running, Slots } from '../requests/slots.ts'
import { probe } from './probe.ts'
import { Silence } from './silence.ts'

/** Watches one life of the engine until `stop` of the result; `limitMs` 0: only lost frames end requests. */
export function watchSilence(
  engine: Engine,
  bridge: Bridge,
  slots: Slots,
  rows: Rows,
  calls: Calls,
  limitMs: number,
  paused: () => boolean,
  notice: (text: string) => void,
): Silence {
  /** Their slots are free from now on; should the engine still have them, it is told to let go, and its late rows find nobody. */
  const letGo = (some: readonly Running[], why: string) => {
    notice(`${why}: ${some.length}`)
    bridge.send(abortFrame(some.map((running) => running.rid)))
    for (const running of some) rows.finish(running)
  }
  return new Silence(slots, bridge.ready.dp_size, limitMs, {
    excused: () => paused() || calls.busy,
    probe: (ranks, withinMs) => probe(engine, ranks, withinMs),
    lost(some) {
      letGo(some, 'requests that a living engine does not answer')
      const error = new AppError('engine_failed', { message: 'The engine lost this request, or its answer was lost on the way.' })
      for (const running of some) slots.fail(running, error)
    },
    unconfirmed: (some) => letGo(some, 'requests that ended here and that the engine never confirmed'),
    dead: (reason) => bridge.giveUp(reason),
  })
}
