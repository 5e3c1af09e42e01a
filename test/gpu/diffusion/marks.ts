// What SGLang's worker noted (python/sitecustomize.py), as passes: when each began, its steps, when its pixels were there.
import { existsSync, readFileSync } from 'node:fs'

interface Mark {
  /** Wall clock, ms. */
  at: number
  what: 'pass' | 'step' | 'stepped' | 'decoded' | 'passed' | 'free' | 'frames'
  id: string
  step?: number
  failed?: string | null
  sha256?: string
}

/** One request inside the engine; all in ms of the wall clock. */
export interface Pass {
  id: string
  began: number
  /** When each step began. */
  steps: number[]
  /** When the last step was given to the GPU. */
  stepped?: number
  decoded?: number
  /** Its frames are in the host's memory, or it failed. */
  ended?: number
  failed?: string
  /** After a failure: the GPU has nothing to do any more. */
  free?: number
}

export function passesOf(file: string): Pass[] {
  const passes: Pass[] = []
  for (const { what, at, id, failed } of marksOf(file)) {
    if (what === 'pass') passes.push({ id, began: at, steps: [] })
    const pass = passes.at(-1)
    if (pass === undefined || what === 'frames') continue
    if (what === 'step') pass.steps.push(at)
    else if (what === 'stepped') pass.stepped = at
    else if (what === 'decoded') pass.decoded = at
    else if (what === 'free') pass.free = at
    else if (what === 'passed') Object.assign(pass, { ended: at, ...(failed ? { failed } : {}) })
  }
  return passes
}

/** SHA-256 of each set of frames that our bridge handed over while `sum(file)` was wanted. */
export function sumsOf(file: string): string[] {
  return marksOf(file).flatMap(({ what, sha256 }) => (what === 'frames' && sha256 !== undefined ? [sha256] : []))
}

function marksOf(file: string): Mark[] {
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n')
  // Behind the last line feed is nothing, or half a line.
  return lines.slice(0, -1).map((line) => JSON.parse(line) as Mark)
}
