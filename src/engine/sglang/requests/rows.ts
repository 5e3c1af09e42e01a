// OUT frames, one per engine step, to sinks. The hot path: read in place, no object, closure or promise per token or row.
import { AppError } from '../../../lib/errors.ts'
import { Cursor } from '../../../transport/msgpack.ts'
import { toFinish } from './finish.ts'
import { readRowLogprobs, type WireLogprobs } from './logprobs.ts'
import type { Running, Slots } from './slots.ts'

export interface RowsEvents {
  /** The engine is done with these: FIN is due. The array is reused. */
  finished(running: readonly Running[]): void
  load(rank: number, running: number, waiting: number, usedTokens: number, totalTokens: number): void
  /** A frame of this rank has come. */
  heard(rank: number): void
  /** `count` frames of a rank never came. */
  lost(rank: number, count: number): void
}

export class Rows {
  private readonly slots: Slots
  private readonly events: RowsEvents
  private readonly cursor = new Cursor()
  /** The last frame's number, by rank and channel: each counts for itself. */
  private readonly seqs: number[] = []
  private tokens = new Int32Array(1024)
  private tokenBytes = new Uint8Array(this.tokens.buffer)
  private readonly done: Running[] = []

  constructor(slots: Slots, events: RowsEvents) {
    this.slots = slots
    this.events = events
  }

  /** Frames that never came, of all ranks. */
  get lostFrames(): number {
    return this.slots.lostFrames
  }

  /** One message of type 100: `[100, rank, seq, who, toks, lens, first, fin, lp, load, ts]`. Throws MsgpackError on bytes that are none. */
  take(bytes: Uint8Array, channel: 'A' | 'B' = 'A'): void {
    const cursor = this.cursor
    const slots = this.slots
    cursor.reset(bytes)
    cursor.array()
    cursor.number()
    const rank = cursor.number()
    this.checkSeq(rank, channel, cursor.number())
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const rows = cursor.bin() / 8
    const whoAt = cursor.at
    cursor.skipBytes(rows * 8)
    this.copyTokens(cursor)
    let lensAt = -1
    if (!cursor.nil()) {
      const size = cursor.bin()
      lensAt = cursor.at
      cursor.skipBytes(size)
    }
    this.takeFirst(view, whoAt)
    const finAt = cursor.at
    cursor.skip()
    const logprobs = cursor.nil() ? undefined : this.takeLogprobs(view, whoAt)
    if (!cursor.nil()) {
      cursor.array()
      this.events.load(rank, cursor.number(), cursor.number(), cursor.number(), cursor.number())
    }
    let start = 0
    for (let row = 0; row < rows; row++) {
      const at = whoAt + row * 8
      const running = slots.find(view.getUint32(at), view.getUint32(at + 4))
      const end = start + (lensAt < 0 ? 1 : view.getUint32(lensAt + row * 4, true))
      if (running === undefined) slots.unknownRows++
      else if (end > start) slots.push(running, this.tokens, start, end, logprobs?.get(row))
      start = end
    }
    cursor.at = finAt
    this.takeFinished(view, whoAt)
  }

  /** A request ended outside an OUT frame (ERR, ABORTED, EMB_OUT): its slot is done. */
  finish(running: Running): void {
    this.slots.release(running)
    this.done.push(running)
    this.tellDone()
  }

  /** Another engine counts from the start. */
  restart(): void {
    this.seqs.length = 0
  }

  private checkSeq(rank: number, channel: 'A' | 'B', seq: number): void {
    this.events.heard(rank)
    const counter = 2 * rank + (channel === 'B' ? 1 : 0)
    const missing = seq - (this.seqs[counter] ?? 0) - 1
    this.seqs[counter] = seq
    if (missing <= 0) return
    this.slots.lostFrames += missing
    this.events.lost(rank, missing)
  }

  /** Into an array of our own: the frame's bytes may lie at any address, an Int32Array may not. */
  private copyTokens(cursor: Cursor): void {
    const size = cursor.bin()
    if (size > this.tokenBytes.length) {
      this.tokens = new Int32Array(2 ** Math.ceil(Math.log2(size / 4)))
      this.tokenBytes = new Uint8Array(this.tokens.buffer)
    }
    this.tokenBytes.set(cursor.bytes.subarray(cursor.at, cursor.at + size))
    cursor.skipBytes(size)
  }

  private owner(view: DataView, whoAt: number, row: number): Running | undefined {
    const at = whoAt + row * 8
    return this.slots.find(view.getUint32(at), view.getUint32(at + 4))
  }

  private takeFirst(view: DataView, whoAt: number): void {
    const cursor = this.cursor
    for (let left = cursor.array(); left > 0; left--) {
      const fields = cursor.array()
      const running = this.owner(view, whoAt, cursor.number())
      const prompt = cursor.number()
      const cached = cursor.number()
      for (let i = 3; i < fields; i++) cursor.skip()
      if (running === undefined) continue
      running.usage.promptTokens = prompt
      running.usage.cachedTokens = cached
    }
  }

  private takeLogprobs(view: DataView, whoAt: number): Map<number, WireLogprobs> {
    const cursor = this.cursor
    const found = new Map<number, WireLogprobs>()
    for (let left = cursor.array(); left > 0; left--) {
      const entry = cursor.value() as Parameters<typeof readRowLogprobs>[0]
      const { row, logprobs, prompt } = readRowLogprobs(entry)
      if (logprobs) found.set(row, logprobs)
      const running = prompt && this.owner(view, whoAt, row)
      if (!running || running.ended) continue
      try {
        running.sink.promptLogprobs?.(prompt)
      } catch (thrown) {
        this.slots.sinkThrew(running, thrown)
      }
    }
    return found
  }

  private takeFinished(view: DataView, whoAt: number): void {
    const cursor = this.cursor
    for (let left = cursor.array(); left > 0; left--) {
      const [row, type, matched, message, status, errorType, completion, prompt, cached, reasoning] = cursor.value() as unknown[]
      const running = this.owner(view, whoAt, row as number)
      if (running === undefined) continue
      const usage = running.usage
      usage.completionTokens = (completion as number | null) ?? running.received
      usage.promptTokens = (prompt as number | null) ?? usage.promptTokens
      usage.cachedTokens = (cached as number | null) ?? usage.cachedTokens
      usage.reasoningTokens = (reasoning as number | null) ?? 0
      this.slots.release(running)
      this.done.push(running)
      if (running.lostBefore !== this.lostFrames && running.received !== usage.completionTokens)
        this.slots.fail(
          running,
          new AppError('engine_failed', { message: 'Tokens of this answer were lost between the engine and the server.' }),
        )
      else this.slots.end(running, toFinish(type, matched, message, status, errorType))
    }
    this.tellDone()
  }

  private tellDone(): void {
    if (this.done.length === 0) return
    this.events.finished(this.done)
    this.done.length = 0
  }
}
