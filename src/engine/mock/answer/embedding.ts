// Embeddings without a model: every id and every pair of neighbours votes for a few coordinates, so texts that share words point the same way.
import type { AppError } from '../../../lib/errors.ts'
import type { Embedding, Sink } from '../../types.ts'
import { embedError } from '../endings.ts'
import type { MockConfig } from '../options.ts'
import { draw, roll } from './text.ts'

const votes = 8
const pairWeight = 0.25

/** A vector of length 1, the same for the same ids and seed. */
function embedIds(ids: ArrayLike<number>, size: number, seed: number): Float32Array {
  const vector = new Float32Array(size)
  let previous = -1
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i]!
    vote(vector, roll(seed, id), 1)
    vote(vector, roll(roll(seed, previous), id), pairWeight)
    previous = id
  }
  let squares = 0
  for (const value of vector) squares += value * value
  // All votes cancelling out is possible in tiny vectors; any fixed direction will do then.
  if (squares === 0) vector[0] = squares = 1
  const scale = 1 / Math.sqrt(squares)
  for (let i = 0; i < size; i++) vector[i]! *= scale
  return vector
}

function vote(vector: Float32Array, hash: number, weight: number): void {
  for (let i = 0; i < votes; i++) {
    const x = draw(hash, i)
    vector[(x >>> 1) % vector.length]! += x & 1 ? weight : -weight
  }
}

/** Ends an embedding's request: the vector, or why there is none. */
export function embeddingSink(
  promptIds: Uint32Array,
  { embeddingSize, seed }: MockConfig,
  resolve: (made: Embedding) => void,
  reject: (error: AppError) => void,
): Sink {
  return {
    push: () => {},
    end: (finish) => {
      if (finish.kind === 'abort') reject(embedError(finish))
      else resolve({ vector: embedIds(promptIds, embeddingSize, seed), promptTokens: promptIds.length })
    },
    fail: reject,
  }
}
