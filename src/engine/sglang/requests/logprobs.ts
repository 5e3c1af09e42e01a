// The `lp` column of an OUT frame: binary columns of one row to the words of engine/types.ts. Only rows that asked for it have one.
import type { PromptLogprobs, RowLogprobs, TopLogprobs } from '../../types.ts'

/** `[n per position, or u32 bytes when it varies; values f32; ids i32]` */
type WireTop = [count: number | Uint8Array, values: Uint8Array, ids: Uint8Array]
type WirePrompt = [values: Uint8Array, ids: Uint8Array, top: WireTop | null, tid: WireTop | null]
export type WireLogprobs = RowLogprobs

/** One entry, `[row, values, top, tid, prompt]`. A prompt's NaN means: no value there. */
export function readRowLogprobs(
  entry: [row: number, values: Uint8Array | null, top: WireTop | null, tid: WireTop | null, prompt: WirePrompt | null],
): { row: number; logprobs: RowLogprobs | undefined; prompt: PromptLogprobs | undefined } {
  const [row, values, top, tid, prompt] = entry
  let logprobs: RowLogprobs | undefined
  if (values && values.length > 0) {
    logprobs = { values: floats(values) }
    const positions = readTops(top, tid, logprobs.values.length)
    if (positions) logprobs.top = positions
  }
  return { row, logprobs, prompt: prompt ? readPrompt(prompt) : undefined }
}

function readPrompt([values, ids, top, tid]: WirePrompt): PromptLogprobs {
  const numbers = floats(values)
  const prompt: PromptLogprobs = { ids: ints(ids), values: numbers.map((value) => (Number.isNaN(value) ? null : value)) }
  const positions = readTops(top, tid, numbers.length)
  // Where nothing precedes the token there are no alternatives either.
  if (positions) prompt.top = positions.map((position, i) => (Number.isNaN(numbers[i]!) ? null : position))
  return prompt
}

/** Alternatives and asked-for ids of each position in one list: alternatives first, each id once. */
function readTops(top: WireTop | null, tid: WireTop | null, positions: number): TopLogprobs[] | undefined {
  const best = top && readTop(top, positions)
  const asked = tid && readTop(tid, positions)
  if (!best || !asked) return best ?? asked ?? undefined
  for (const [i, extra] of asked.entries()) {
    const position = best[i]!
    for (const [k, id] of extra.ids.entries()) {
      if (position.ids.includes(id)) continue
      position.ids.push(id)
      position.values.push(extra.values[k]!)
    }
  }
  return best
}

function readTop([count, values, ids]: WireTop, positions: number): TopLogprobs[] {
  const allValues = floats(values)
  const allIds = ints(ids)
  const counts = typeof count === 'number' ? undefined : ints(count)
  const result: TopLogprobs[] = []
  let at = 0
  for (let i = 0; i < positions; i++) {
    const end = at + (counts ? (counts[i] ?? 0) : (count as number))
    result.push({ ids: allIds.slice(at, end), values: allValues.slice(at, end) })
    at = end
  }
  return result
}

function floats(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(i * 4, true))
}

function ints(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Array.from({ length: bytes.length / 4 }, (_, i) => view.getInt32(i * 4, true))
}
