// A clip's file is lossy: what is compared are the frames that our bridge hands over, before they are encoded.
import { rmSync, writeFileSync } from 'node:fs'
import { ask, askEngine, type Shape } from './ask.ts'
import type { Contender } from './contenders.ts'
import { sumsOf } from './marks.ts'

/** Few steps: this is about pixels, not about time. */
export async function sameFrames(ours: Contender, engine: Contender, shape: Shape) {
  const few = { ...shape, steps: Math.min(3, shape.steps) }
  writeFileSync(`${ours.marks}.sum`, '')
  try {
    const rows = []
    for (const seed of [11]) {
      const before = sumsOf(ours.marks).length
      await ask(ours, few, seed)
      const handed = sumsOf(ours.marks).slice(before)
      const alone = (await askEngine(engine, few, seed)).sha256
      rows.push({ seed, same: handed.length === 1 && handed[0] === alone, sha256: alone })
    }
    return rows
  } finally {
    rmSync(`${ours.marks}.sum`)
  }
}
