// Text to ids by an EncodePlan: split at added tokens, cut into pieces, take known pieces from the cache. Synchronous as long as that is
// quick; a long unknown text continues in slices of a millisecond, so that the event loop never stalls.
import { flat, type GenerationCache, generationCache } from './cache.ts'
import { append, type IdBuffer, idBuffer, reserve } from './id-buffer.ts'
import type { EncodePlan } from './plan.ts'

/** Shorter pieces are quicker to encode word by word than worth a place in the cache. */
const minCached = 192
/** A piece without a safe cut for so long goes to the native encoder, whole text and all: its merging could stall the loop. */
const maxPiece = 65536
const firstSliceMs = 2
const laterSliceMs = 1

export interface EncoderOptions {
  plan: EncodePlan
  /** Bound of the piece cache. */
  pieceCacheBytes: number
  /** Encodes the whole text; for texts that the plan does not cover. */
  native(text: string, addSpecial: boolean): Promise<Uint32Array>
}

/** Returns `encode` of the Tokenizer seam. */
export function cachedEncoder({ plan, pieceCacheBytes, native }: EncoderOptions) {
  const cache: GenerationCache<Uint32Array> = generationCache(pieceCacheBytes)
  let spare = idBuffer()

  function encodePiece(piece: string, out: IdBuffer): boolean {
    if (piece.length < minCached) {
      plan.encodePiece(piece, out)
      return false
    }
    const known = cache.get(piece)
    if (known) {
      append(out, known)
      return true
    }
    const start = out.length
    plan.encodePiece(piece, out)
    const ids = out.ids.slice(start, out.length)
    cache.set(flat(piece), ids, piece.length * 2 + ids.byteLength + 128)
    return false
  }

  /** Encodes from `at` until the end or the deadline; returns where it stopped. */
  function run(items: readonly (string | number)[], at: number, out: IdBuffer, sliceMs: number): number {
    const deadline = performance.now() + sliceMs
    for (let i = at; i < items.length; i++) {
      const item = items[i]!
      if (typeof item === 'number') {
        reserve(out, 1)
        out.ids[out.length++] = item
      } else if (!encodePiece(item, out) && performance.now() > deadline) return i + 1
    }
    return items.length
  }

  async function finish(items: readonly (string | number)[], from: number, out: IdBuffer): Promise<Uint32Array> {
    for (let at = from; at < items.length; ) {
      await new Promise<void>((resolve) => setImmediate(resolve))
      at = run(items, at, out, laterSliceMs)
    }
    return out.ids.slice(0, out.length)
  }

  return (text: string, addSpecial: boolean): Uint32Array | Promise<Uint32Array> => {
    const wellFormed = text.isWellFormed() ? text : text.toWellFormed()
    const items = itemsOf(plan, wellFormed)
    if (!items) return native(wellFormed, addSpecial)
    if (addSpecial) {
      items.unshift(...plan.before)
      items.push(...plan.after)
    }
    const out = spare
    out.length = 0
    const at = run(items, 0, out, firstSliceMs)
    if (at === items.length) return out.ids.slice(0, out.length)
    spare = idBuffer() // the unfinished one keeps its buffer
    return finish(items, at, out)
  }
}

/** The text as pieces of normalized text and ids of added tokens; undefined when the plan does not cover it. */
function itemsOf(plan: EncodePlan, text: string): (string | number)[] | undefined {
  const items: (string | number)[] = []
  for (let from = 0; from < text.length; ) {
    const match = plan.rawAdded(text, from)
    const end = match ? match.start : text.length
    if (end > from && !addSegment(plan, text.slice(from, end), items)) return undefined
    if (!match) break
    items.push(match.id)
    from = match.end
  }
  return items
}

function addSegment(plan: EncodePlan, raw: string, items: (string | number)[]): boolean {
  const text = plan.normalize(raw)
  if (text === undefined) return false
  for (let from = 0; from < text.length; ) {
    const match = plan.normalizedAdded(text, from)
    const end = match ? match.start : text.length
    if (end > from && !addPieces(plan, text.slice(from, end), items)) return false
    if (!match) break
    items.push(match.id)
    from = match.end
  }
  return true
}

function addPieces(plan: EncodePlan, text: string, items: (string | number)[]): boolean {
  for (let from = 0; from < text.length; ) {
    const end = plan.pieceEnd(text, from)
    if (end - from > maxPiece) return false
    items.push(from === 0 && end === text.length ? text : text.slice(from, end))
    from = end
  }
  return true
}
