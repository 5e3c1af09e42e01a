// Where a name of the template lives at run time: decided while compiling, so that reading one is an array access.
import type { Stmt, Target } from './parse/ast.ts'

/** Values of one scope at run time; slot 0 is the frame around it. */
export type Frame = unknown[]

export interface Scope {
  readonly parent: Scope | null
  readonly slots: Map<string, number>
  /** Names that something read or wrote: macros ask whether `caller` and `kwargs` are among them. */
  readonly used: Set<string>
  readonly loopDepth: number
  /** How many ifs surround what is being compiled, in this scope. */
  conditions: number
}

export const makeScope = (parent: Scope | null, loopDepth = parent?.loopDepth ?? 0): Scope => ({
  parent,
  slots: new Map(),
  used: new Set(),
  loopDepth,
  conditions: 0,
})

/** Gives a name its slot in this very scope. */
export function declare(scope: Scope, name: string): number {
  const known = scope.slots.get(name)
  if (known !== undefined) return known
  const slot = scope.slots.size + 1
  scope.slots.set(name, slot)
  return slot
}

/** The scope that holds a name, counted outwards, and its slot. A name that nobody assigns is an input: the outermost scope's. */
export function resolve(scope: Scope, name: string): { hops: number; slot: number } {
  let at = scope
  let hops = 0
  while (!at.slots.has(name) && at.parent !== null) {
    at = at.parent
    hops++
  }
  at.used.add(name)
  return { hops, slot: declare(at, name) }
}

export const makeFrame = (scope: Scope, parent: Frame | null): Frame => {
  const frame: Frame = new Array(scope.slots.size + 1)
  frame[0] = parent
  return frame
}

/** Reads a name: a closure over its place. */
export function reader(scope: Scope, name: string): (frame: Frame) => unknown {
  const { hops, slot } = resolve(scope, name)
  if (hops === 0) return (frame) => frame[slot]
  if (hops === 1) return (frame) => (frame[0] as Frame)[slot]
  if (hops === 2) return (frame) => ((frame[0] as Frame)[0] as Frame)[slot]
  return (frame) => {
    let at = frame
    for (let i = 0; i < hops; i++) at = at[0] as Frame
    return at[slot]
  }
}

/** Names that a body assigns in its own scope; for, macro, with and blocks have scopes of their own. */
export function assignedNames(body: readonly Stmt[], found = new Set<string>()): Set<string> {
  for (const stmt of body) {
    if (stmt.t === 'set' || stmt.t === 'capture') for (const name of targetNames(stmt.target)) found.add(name)
    else if (stmt.t === 'macro') found.add(stmt.name)
    else if (stmt.t === 'if') {
      for (const branch of stmt.branches) assignedNames(branch.body, found)
      assignedNames(stmt.otherwise, found)
    }
  }
  return found
}

export function targetNames(target: Target): string[] {
  if (target.t === 'name') return [target.name]
  return target.t === 'tuple' ? target.items.flatMap(targetNames) : []
}
