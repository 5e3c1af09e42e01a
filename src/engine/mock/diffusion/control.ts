// Named operations of the mock diffusion engine: LoRA adapters by SGLang's names and shapes, and faults on demand for tests.
import { existsSync } from 'node:fs'
import { AppError } from '../../../lib/errors.ts'

/** The adapters of one engine. What is active changes its pictures. */
export interface Loras {
  readonly loaded: Map<string, string>
  active: { nickname: string; path: string; strength: number }[]
  /** What `unmerge_lora_weights` has put aside for `merge_lora_weights`. */
  aside: Loras['active']
}

export interface Controls {
  readonly loras: Loras
  /** Undefined: as long as the failure setting says; Infinity: for ever. */
  crash(restartMs: number | undefined): void
  stall(on: boolean): void
}

type Operation = (engine: Controls, args: Record<string, unknown>) => unknown

const operations: Record<string, Operation> = {
  /** Loads adapters (one or a list) and makes them the active ones. Names without a path must be loaded already. */
  set_lora({ loras }, { lora_nickname, lora_path, strength = 1 }) {
    const nicknames = many(lora_nickname)
    if (nicknames.length === 0) throw rejected('lora_nickname is missing')
    const paths = many(lora_path)
    const strengths = many(strength)
    const active = nicknames.map((given, i) => {
      const nickname = String(given)
      const path = paths[i] ?? loras.loaded.get(nickname)
      if (typeof path !== 'string') throw rejected(`LoRA adapter ${nickname} is not loaded; lora_path is needed`)
      // A hub name is anybody's guess; a path can be looked at.
      if (/^[./]/.test(path) && !existsSync(path)) throw rejected(`there is no LoRA at ${path}`)
      const weight = Number(strengths[i] ?? strengths[0])
      if (!Number.isFinite(weight)) throw rejected(`strength must be a number, not ${strengths[i]}`)
      return { nickname, path, strength: weight }
    })
    for (const { nickname, path } of active) loras.loaded.set(nickname, path)
    loras.active = active
    loras.aside = []
    return null
  },
  unmerge_lora_weights({ loras }) {
    if (loras.active.length > 0) loras.aside = loras.active
    loras.active = []
    return null
  },
  merge_lora_weights({ loras }, { strength }) {
    const adapters = loras.active.length > 0 ? loras.active : loras.aside
    if (adapters.length === 0) throw rejected('no LoRA adapter is set')
    loras.active = typeof strength === 'number' ? adapters.map((adapter) => ({ ...adapter, strength })) : adapters
    return null
  },
  list_loras: ({ loras }) => ({
    loaded_adapters: [...loras.loaded].map(([nickname, path]) => ({ nickname, path })),
    active: loras.active.length === 0 ? {} : { transformer: loras.active.map((adapter) => ({ ...adapter, merged: true })) },
  }),
  /** `restartMs`: how long it stays down. */
  crash(engine, { restartMs }) {
    engine.crash(typeof restartMs === 'number' ? restartMs : undefined)
    return null
  },
  /** `on: false` ends the stall. */
  stall(engine, { on }) {
    engine.stall(on !== false)
    return null
  },
}

/** Throws AppErrors; `route_not_found` for a name that is not there. */
export function operate(name: string, args: Record<string, unknown>, engine: Controls): unknown {
  if (Object.hasOwn(operations, name)) return operations[name]!(engine, args)
  throw new AppError('route_not_found', {
    message: `the mock diffusion engine has no operation '${name}'; it has ${Object.keys(operations).join(', ')}`,
  })
}

function many(value: unknown): unknown[] {
  if (value === undefined || value === null) return []
  return Array.isArray(value) ? value : [value]
}

function rejected(message: string): AppError {
  return new AppError('engine_rejected', { message })
}
