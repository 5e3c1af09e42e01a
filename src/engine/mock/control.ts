// The mock engine's named operations: SGLang's that make sense here, with its results, and faults on demand for tests.
import { AppError } from '../../lib/errors.ts'
import type { EngineEvent } from '../types.ts'

/** What an operation may do to the engine. */
export interface Controls {
  loads(): Extract<EngineEvent, { kind: 'load' }>[]
  flush(): void
  /** Undefined: as long as the failure setting says; Infinity: for ever. */
  crash(restartMs: number | undefined): void
  stall(on: boolean): void
  /** SGLang's modes: `abort` ends what runs, `in_place` and `retract` hold it. Undefined: the pause is over. */
  pause(mode: string | undefined): void
  /** LoRA adapters by name. */
  readonly loras: Map<string, { lora_name: string; lora_path: string; pinned: boolean }>
}

type Operation = (engine: Controls, args: Record<string, unknown>) => unknown

const done = { success: true, message: '' }
const updated: Operation = (engine) => {
  engine.flush()
  return [true, 'Succeeded to update model weights.', 0]
}
const modes = ['abort', 'in_place', 'retract']

const operations: Record<string, Operation> = {
  /** Forgets the prefix cache; refused while anything runs or waits. */
  flush_cache(engine) {
    refuseWhileBusy(engine, 'the cache cannot be flushed while requests run or wait')
    engine.flush()
    return done
  },
  get_load: (engine) => engine.loads(),
  pause_generation(engine, { mode = 'abort' }) {
    if (!modes.includes(mode as string)) throw rejected(`mode is '${mode}', it can be ${modes.join(', ')}`)
    engine.pause(mode as string)
    return null
  },
  continue_generation(engine) {
    engine.pause(undefined)
    return null
  },
  release_memory_occupation(engine) {
    refuseWhileBusy(engine, 'memory cannot be released while requests run or wait')
    engine.flush()
    return null
  },
  resume_memory_occupation: () => null,
  update_weights_from_disk(engine, args) {
    if (typeof args.model_path !== 'string') throw rejected('model_path is missing')
    return updated(engine, args)
  },
  update_weights_from_distributed: updated,
  update_weights_from_tensor: updated,
  update_weights_from_ipc: updated,
  update_weight_version: () => null,
  init_weights_update_group: () => [true, ''],
  destroy_weights_update_group: () => [true, ''],
  start_profile: () => done,
  stop_profile: () => done,
  start_expert_distribution_record: () => null,
  stop_expert_distribution_record: () => null,
  dump_expert_distribution_record: () => null,
  load_lora_adapter({ loras }, { lora_name, lora_path, pinned = false }) {
    if (typeof lora_name !== 'string' || typeof lora_path !== 'string') throw rejected('lora_name and lora_path are needed')
    if (loras.has(lora_name)) return { success: false, error_message: `LoRA adapter ${lora_name} is loaded already` }
    loras.set(lora_name, { lora_name, lora_path, pinned: pinned === true })
    return { success: true, error_message: '' }
  },
  unload_lora_adapter({ loras }, { lora_name }) {
    if (loras.delete(String(lora_name))) return { success: true, error_message: '' }
    return { success: false, error_message: `LoRA adapter ${lora_name} is not loaded` }
  },
  list_loras: ({ loras }) => [...loras.values()],
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

/** Throws AppErrors; `route_not_found` for a name that is not there. */
export function operate(name: string, args: Record<string, unknown>, engine: Controls): unknown {
  const operation = operations[name]
  if (operation !== undefined) return operation(engine, args)
  throw new AppError('route_not_found', {
    message: `the mock engine has no operation '${name}'; it has ${Object.keys(operations).join(', ')}`,
  })
}

function refuseWhileBusy(engine: Controls, message: string): void {
  if (engine.loads().some((load) => load.running + load.waiting > 0)) throw rejected(message)
}

function rejected(message: string): AppError {
  return new AppError('engine_rejected', { message })
}
