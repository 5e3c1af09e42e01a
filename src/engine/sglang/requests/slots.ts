// Who is running: a slot number for each request inside the engine, from its GEN until the engine's own terminal.
// A slot is used again only after that; its generation number tells a late row of the one before apart.
import { AppError, toAppError } from '../../../lib/errors.ts'
import type { EngineUsage, Finish, Sink } from '../../types.ts'

export interface Running {
  readonly slot: number
  readonly gen: number
  readonly rid: string
  readonly sink: Sink
  readonly usage: EngineUsage
  /** The sink has had its terminal; the slot waits for the engine's. */
  ended: boolean
  /** Ids handed to the sink. */
  received: number
  /** The DP rank that was asked for. */
  readonly rank: number | undefined
  /** `Slots.tick` when it began, then when its sink had its terminal. */
  changedAt: number
  /** Frames that were lost when it began. */
  readonly lostBefore: number
  /** Called once, right after the sink's terminal. */
  onEnd(): void
}

export class Slots {
  /** Rows that belonged to nobody: late, or of another life of their slot. */
  unknownRows = 0
  /** Frames that never came, of all ranks. */
  lostFrames = 0
  /** A slow clock that its owner turns. */
  tick = 0
  private readonly table: (Running | undefined)[] = []
  private readonly gens: number[] = []
  private readonly free: number[] = []
  private used = 0
  private readonly onSinkError: (running: Running, thrown: unknown) => void

  /** `onSinkError` hears of a sink that threw; its request is over for us by then. */
  constructor(onSinkError: (running: Running, thrown: unknown) => void) {
    this.onSinkError = onSinkError
  }

  get size(): number {
    return this.used
  }

  /** Takes a slot. The rid has 24 characters: "ds", epoch, slot and generation in hex (WIRE.md). */
  open(epoch: string, promptTokens: number, sink: Sink, lostBefore: number, onEnd: () => void, rank?: number): Running {
    const slot = this.free.pop() ?? this.table.length
    const gen = ((this.gens[slot] ?? 0) + 1) >>> 0
    this.gens[slot] = gen
    const running: Running = {
      slot,
      gen,
      rid: `ds${epoch}${hex8(slot)}${hex8(gen)}`,
      sink,
      usage: { promptTokens, completionTokens: 0, cachedTokens: 0, reasoningTokens: 0 },
      ended: false,
      received: 0,
      rank,
      changedAt: this.tick,
      lostBefore,
      onEnd,
    }
    this.table[slot] = running
    this.used++
    return running
  }

  /** The request that owns a row. */
  find(slot: number, gen: number): Running | undefined {
    const running = this.table[slot]
    return running !== undefined && running.gen === gen ? running : undefined
  }

  /** True until the engine's terminal. */
  holds(running: Running): boolean {
    return this.table[running.slot] === running
  }

  /** The engine is done with it: the slot may be used again. */
  release(running: Running): void {
    if (this.table[running.slot] !== running) return
    this.table[running.slot] = undefined
    this.free.push(running.slot)
    this.used--
  }

  /** The sink's terminal, unless it had one. */
  end(running: Running, finish: Finish): void {
    if (running.ended) return
    running.ended = true
    running.changedAt = this.tick
    try {
      running.sink.end(finish, running.usage)
    } catch (thrown) {
      this.onSinkError(running, thrown)
    }
    running.onEnd()
  }

  fail(running: Running, cause: AppError): void {
    if (running.ended) return
    const error = running.received > 0 && running.lostBefore !== this.lostFrames ? tokensLost(cause) : cause
    running.ended = true
    running.changedAt = this.tick
    try {
      running.sink.fail(error)
    } catch (thrown) {
      this.onSinkError(running, thrown)
    }
    running.onEnd()
  }

  /** Hands over new ids; a sink that throws is cut off and told to the owner. */
  push(running: Running, ids: Int32Array, start: number, end: number, logprobs: Parameters<Sink['push']>[3]): void {
    if (running.ended) return
    running.received += end - start
    try {
      running.sink.push(ids, start, end, logprobs)
    } catch (thrown) {
      this.sinkThrew(running, thrown)
    }
  }

  /** After a sink threw in mid-stream: `fail` is its terminal, and nothing more is pushed. */
  sinkThrew(running: Running, thrown: unknown): void {
    this.onSinkError(running, thrown)
    this.fail(running, toAppError(thrown))
  }

  /** Those that are inside the engine now. */
  all(): Running[] {
    return this.table.filter((running) => running !== undefined)
  }

  /** Until nothing runs or `withinMs` have passed. */
  async drained(withinMs: number): Promise<void> {
    const end = performance.now() + withinMs
    while (this.used > 0 && performance.now() < end) await Bun.sleep(10)
  }

  /** The engine died: everyone gets `error`, every slot is free. */
  failAll(error: AppError): void {
    const all = this.all()
    for (const running of all) this.release(running)
    for (const running of all) this.fail(running, error)
  }
}

/** Told in place of any other failure where tokens in the middle may be missing: such an answer cannot go on elsewhere. */
function tokensLost(cause: AppError): AppError {
  return new AppError('tokens_lost', { message: 'Tokens of this answer were lost between the engine and the server.', cause })
}

function hex8(value: number): string {
  return value.toString(16).padStart(8, '0')
}
