// One event stream to one client: text gathers during a turn of the event loop and leaves as one write. Response headers wait for the first
// text, so that they share its packet and a failure before it still has its own status. A client that does not read is bounded, and so are all
// streams of one budget together: what waits stays here, where it can be dropped; the socket is given little at a time.
import { markTurn, type TurnEnd } from '../../lib/turn.ts'
import type { Debtor, UnreadBudget } from './unread-budget.ts'

/** Bun's direct stream controller: `write` and `flush` give a promise while the socket takes nothing more. */
interface DirectController {
  write(text: string): number | Promise<number>
  flush(): number | Promise<number> | undefined
  end(): unknown
}

/** Enough for texts. */
const MAX_UNREAD = 4 << 20
/** Characters that Bun is given at once: what it has taken, it keeps until the client reads or leaves. */
const PIECE = 1 << 20

export interface SseWriterEvents {
  /** The first text is there: answer the HTTP request with this body. */
  open(body: ReadableStream): void
  /** The client has not read for too long: what waited is dropped, and nothing but an `end` is taken any more, also after another. */
  overflow(): void
}

export interface SseWriterLimits {
  /** Characters that may wait for a client that does not read before more is an `overflow`; one event may go beyond it. */
  maxUnread?: number
  /** Shared with other streams: when all of them together have too much waiting, some of them overflow. */
  budget?: UnreadBudget
}

export class SseWriter implements TurnEnd, Debtor {
  marked = false
  stuckSince: number | undefined
  readonly #events: SseWriterEvents
  readonly #maxUnread: number
  readonly #budget: UnreadBudget | undefined
  /** What this turn wrote. */
  #buffer = ''
  /** Of earlier turns, the first from `#taken` on. */
  #waiting: string[] = []
  #taken = 0
  #waits = 0
  #controller: DirectController | undefined
  #opened = false
  #ending = false
  #closed = false
  #blocked = false
  #overflowed = false
  /** The connection is cut in an event. */
  #torn = false
  #finish: { resolve: () => void; reject: () => void } | undefined
  /** What `end` promised. */
  #sent: ((whole: boolean) => void) | undefined

  constructor(events: SseWriterEvents, { maxUnread = MAX_UNREAD, budget }: SseWriterLimits = {}) {
    this.#events = events
    this.#maxUnread = maxUnread
    this.#budget = budget
  }

  /** Characters that wait for the client. */
  get unread(): number {
    return this.#buffer.length + this.#waits
  }

  /** True once headers are on their way: a failure can then only be told as an event. */
  get opened(): boolean {
    return this.#opened || this.#buffer !== ''
  }

  /** Adds whole events. */
  write(text: string): void {
    if (this.#closed || this.#ending || this.#overflowed) return
    if (this.stuckSince !== undefined && this.unread > this.#maxUnread) {
      this.cut()
      return
    }
    this.#buffer += text
    markTurn(this)
  }

  /** Adds the last events and closes the stream after them. Resolves with whether the socket has taken all of it, or the client left, or was cut, before. */
  end(text: string): Promise<boolean> {
    if (this.#closed || this.#ending) return Promise.resolve(false)
    this.#buffer += text
    this.#ending = true
    markTurn(this)
    return new Promise((resolve) => {
      this.#sent = resolve
    })
  }

  /** The client is gone: nothing is written any more. */
  close(): void {
    this.#over()
    this.#drop()
    this.#sent?.(false)
    this.#finish?.resolve()
  }

  /**
   * Drops what waits and tells so: an overflow. Where the client has a part of an event, nothing can follow it: the connection is cut, which
   * every client takes for a failure. Bun does so when a body rejects, and prints why unless it is nothing.
   */
  cut(): void {
    if (this.#closed || this.#overflowed) return
    this.#overflowed = true
    this.#ending = false
    this.#sent?.(false)
    this.#torn = this.#taken > 0
    this.#drop()
    if (this.#torn) {
      this.#over()
      this.#finish?.reject()
    }
    this.#events.overflow()
  }

  turnEnd(): void {
    if (this.#closed) return
    if (!this.#opened) {
      this.#opened = true
      this.stuckSince = performance.now()
      this.#events.open(this.#body())
      this.#owe()
      return
    }
    this.#drain()
  }

  #body(): ReadableStream {
    const source = {
      type: 'direct',
      pull: (controller: DirectController) => {
        this.#controller = controller
        this.#drain()
        if (this.#closed) return this.#torn ? Promise.reject(undefined) : undefined
        return new Promise<void>((resolve, reject) => {
          this.#finish = { resolve, reject: () => reject(undefined) }
        })
      },
      cancel: () => this.close(),
    }
    // Bun's own kind of source, which the web types do not know.
    return new ReadableStream(source as never)
  }

  #drain(): void {
    if (this.#closed) return
    const controller = this.#controller
    if (controller !== undefined && !this.#blocked) {
      while (!this.#blocked) {
        const piece = this.#next()
        if (piece === '') break
        const written = controller.write(piece)
        if (this.#ending && this.unread === 0) break
        const flushed = controller.flush()
        if (written instanceof Promise || flushed instanceof Promise) this.#wait(written, flushed)
      }
      if (!this.#blocked) {
        this.stuckSince = undefined
        if (this.#ending) {
          this.#end(controller)
          return
        }
      }
    }
    this.#owe()
  }

  /** What the socket is given next, '' when there is nothing. */
  #next(): string {
    if (this.#waits === 0 && this.#buffer.length <= PIECE) {
      const all = this.#buffer
      this.#buffer = ''
      return all
    }
    this.#keep()
    const first = this.#waiting[0]!
    let piece = first.slice(this.#taken, this.#taken + PIECE)
    // Half of a character would be written as a broken one.
    if (this.#taken + piece.length < first.length && (piece.charCodeAt(piece.length - 1) & 0xfc00) === 0xd800) piece = piece.slice(0, -1)
    this.#taken += piece.length
    this.#waits -= piece.length
    if (this.#taken === first.length) {
      this.#waiting.shift()
      this.#taken = 0
    }
    return piece
  }

  /** Puts what the turn wrote behind what waits. */
  #keep(): void {
    if (this.#buffer === '') return
    this.#waiting.push(this.#buffer)
    this.#waits += this.#buffer.length
    this.#buffer = ''
  }

  /** Small texts stay together; large ones are apart, so that each can go when it was read. */
  #owe(): void {
    if (this.#buffer.length > PIECE) this.#keep()
    this.#budget?.set(this, this.unread)
  }

  #drop(): void {
    this.#buffer = ''
    this.#waiting = []
    this.#taken = 0
    this.#waits = 0
    this.#budget?.set(this, 0)
  }

  #wait(written: number | Promise<number>, flushed: number | Promise<number> | undefined): void {
    this.#blocked = true
    this.stuckSince = performance.now()
    const go = () => {
      this.#blocked = false
      this.#drain()
    }
    Promise.all([written, flushed]).then(go, () => this.close())
  }

  #end(controller: DirectController): void {
    this.#over()
    this.#budget?.set(this, 0)
    // First, so that it is told before the client sees the end.
    this.#sent?.(true)
    controller.end()
    this.#finish?.resolve()
  }

  #over(): void {
    this.#closed = true
    this.stuckSince = undefined
  }
}
