// Text to ids by an EncodePlan: split at added tokens, cut into pieces, take known pieces from the cache. Synchronous as long as that is
// quick; a long unknown text continues in slices of a millisecond, so that the event loop never stalls.
import { flat } from '../../lib/flat.ts'
import { type GenerationCache, generationCache } from './cache.ts'
import { append, type IdBuffer, idBuffer, reserve } from './id-buffer.ts'
import type { EncodePlan } from './plan.ts'

/** Shorter pieces are quicker to encode word by word than worth a place in the cache. */
const minCached = 192
/** A piece without a safe cut for so long is encoded with pauses: its merging alone could stall the loop. */
const longPiece = 8192
const firstSliceMs = 2
const laterSliceMs = 1

export interface EncoderOptions {
  plan: EncodePlan
  /** Bound of the piece cache. */
  pieceCacheBytes: number
}

/** Returns `encode` of the Tokenizer seam. */
export function cachedEncoder({ plan, pieceCacheBytes }: EncoderOptions) {
  const cache: GenerationCache<Uint32Array> = generationCache(pieceCacheBytes)
  let spare = idBuffer()

  /** Returns false when the piece is to be encoded with pauses. */
  function encodePiece(piece: string, out: IdBuffer): boolean {
    if (piece.length < minCached) {
      plan.encodePiece(piece, out)
      return true
    }
    const known = cache.get(piece)
    if (!known) {
      if (piece.length > longPiece) return false
      const start = out.length
      plan.encodePiece(piece, out)
      keep(piece, out, start)
    } else append(out, known)
    return true
  }

  function keep(piece: string, out: IdBuffer, start: number): void {
    const bytes = piece.length * 2 + (out.length - start) * 4 + 128
    if (bytes > pieceCacheBytes / 16) return // it would push out too many others
    cache.set(flat(piece), out.ids.slice(start, out.length), bytes)
  }

  /** Encodes from `at` until the end, the deadline or a long piece; returns where it stopped. */
  function run(items: readonly (string | number)[], at: number, out: IdBuffer, deadline: number): number {
    for (let i = at; i < items.length; i++) {
      const item = items[i]!
      if (typeof item === 'number') {
        reserve(out, 1)
        out.ids[out.length++] = item
      } else if (!encodePiece(item, out)) return i
      else if (performance.now() > deadline) return i + 1
    }
    return items.length
  }

  async function finish(items: readonly (string | number)[], from: number, out: IdBuffer): Promise<Uint32Array> {
    let deadline = await nextSlice()
    for (let at = from; at < items.length; ) {
      const long = items[at]!
      if (typeof long === 'string' && long.length > longPiece && !cache.get(long)) {
        const start = out.length
        for (const _ of plan.encodeSteps(long, out)) if (performance.now() > deadline) deadline = await nextSlice()
        keep(long, out, start)
        at++
      }
      at = run(items, at, out, deadline)
      if (at < items.length && performance.now() > deadline) deadline = await nextSlice()
    }
    return out.ids.slice(0, out.length)
  }

  return (text: string, addSpecial: boolean): Uint32Array | Promise<Uint32Array> => {
    const wellFormed = text.isWellFormed() ? text : text.toWellFormed()
    const items = itemsOf(plan, wellFormed)
    if (addSpecial) {
      items.unshift(...plan.before)
      items.push(...plan.after)
    }
    const out = spare
    out.length = 0
    const at = run(items, 0, out, performance.now() + firstSliceMs)
    if (at === items.length) return out.ids.slice(0, out.length)
    spare = idBuffer() // the unfinished one keeps its buffer
    return finish(items, at, out)
  }
}

/** Lets the event loop turn; returns the next deadline. */
async function nextSlice(): Promise<number> {
  await new Promise<void>((resolve) => setImmediate(resolve))
  return performance.now() + laterSliceMs
}

/** The text as pieces of normalized text and ids of added tokens. */
function itemsOf(plan: EncodePlan, text: string): (string | number)[] {
  const items: (string | number)[] = []
  splitAdded(plan.rawAdded, text, items, (raw, rawFrom) => {
    splitAdded(plan.normalizedAdded, plan.normalize(raw), items, (segment, from) => {
      addPieces(plan, plan.preTokenize ? plan.preTokenize(segment, rawFrom === 0 && from === 0) : segment, items)
    })
  })
  return items
}

/** Puts the ids of the added tokens into `items` and hands what lies between them to `between`, in order. */
function splitAdded(
  find: EncodePlan['rawAdded'],
  text: string,
  items: (string | number)[],
  between: (text: string, from: number) => void,
): void {
  for (let from = 0; from < text.length; ) {
    const match = find(text, from)
    const end = match ? match.start : text.length
    if (end > from) between(from === 0 && end === text.length ? text : text.slice(from, end), from)
    if (!match) return
    items.push(match.id)
    from = match.end
  }
}

function addPieces(plan: EncodePlan, text: string, items: (string | number)[]): void {
  for (let from = 0; from < text.length; ) {
    const end = plan.pieceEnd(text, from)
    items.push(from === 0 && end === text.length ? text : text.slice(from, end))
    from = end
  }
}
