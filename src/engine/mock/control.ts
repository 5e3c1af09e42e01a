// The mock engine's named operations: SGLang's that make sense here, and faults on demand for tests.
import { AppError } from '../../lib/errors.ts'
import type { EngineEvent } from '../types.ts'

/** What an operation may do to the engine. */
export interface Controls {
  loads(): Extract<EngineEvent, { kind: 'load' }>[]
  flush(): void
  /** Undefined: as long as the failure setting says; Infinity: for ever. */
  crash(restartMs: number | undefined): void
  stall(on: boolean): void
}

export const operations: Record<string, (engine: Controls, args: Record<string, unknown>) => unknown> = {
  /** Forgets the prefix cache; refused while anything runs or waits. */
  flush_cache(engine) {
    if (engine.loads().some((load) => load.running + load.waiting > 0)) {
      throw new AppError('engine_rejected', { message: 'the cache cannot be flushed while requests run or wait' })
    }
    engine.flush()
    return { success: true }
  },
  get_load: (engine) => engine.loads(),
  /** `restartMs`: how long it stays down. */
  crash(engine, args) {
    engine.crash(typeof args.restartMs === 'number' ? args.restartMs : undefined)
    return { success: true }
  },
  /** `on: false` ends the stall. */
  stall(engine, args) {
    engine.stall(args.on !== false)
    return { success: true }
  },
}
