// One event stream to one client: text gathers during a turn of the event loop and leaves as one write. Response headers wait for the first
// text, so that they share its packet and a failure before it still has its own status. A client that does not read is bounded.
import { markTurn, type TurnEnd } from '../../lib/turn.ts'

/** Bun's direct stream controller: `write` and `flush` give a promise while the socket takes nothing more. */
interface DirectController {
  write(text: string): number | Promise<number>
  flush(): number | Promise<number> | undefined
  end(): unknown
}

/** Enough for texts. */
const MAX_UNREAD = 4 << 20

export interface SseWriterEvents {
  /** The first text is there: answer the HTTP request with this body. */
  open(body: ReadableStream): void
  /** The client has not read for too long: what waited is dropped, and nothing but an `end` is taken any more. */
  overflow(): void
}

export class SseWriter implements TurnEnd {
  marked = false
  readonly #events: SseWriterEvents
  readonly #maxUnread: number
  #buffer = ''
  #controller: DirectController | undefined
  #opened = false
  #ending = false
  #closed = false
  #blocked = false
  #overflowed = false
  #finish: (() => void) | undefined

  /** `maxUnread`: characters that may wait for a client that does not read before `overflow`. */
  constructor(events: SseWriterEvents, maxUnread = MAX_UNREAD) {
    this.#events = events
    this.#maxUnread = maxUnread
  }

  /** Characters that wait for the client. */
  get unread(): number {
    return this.#buffer.length
  }

  /** True once headers are on their way: a failure can then only be told as an event. */
  get opened(): boolean {
    return this.#opened || this.#buffer !== ''
  }

  /** Adds whole events. */
  write(text: string): void {
    if (this.#closed || this.#ending || this.#overflowed) return
    this.#buffer += text
    markTurn(this)
  }

  /** Adds the last events and closes the stream after them. */
  end(text: string): void {
    if (this.#closed || this.#ending) return
    this.#buffer += text
    this.#ending = true
    markTurn(this)
  }

  /** The client is gone: nothing is written any more. */
  close(): void {
    this.#closed = true
    this.#buffer = ''
    this.#finish?.()
  }

  turnEnd(): void {
    if (this.#closed) return
    if (!this.#opened) {
      this.#opened = true
      this.#events.open(this.#body())
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
        if (this.#closed) return undefined
        return new Promise<void>((resolve) => {
          this.#finish = resolve
        })
      },
      cancel: () => this.close(),
    }
    // Bun's own kind of source, which the web types do not know.
    return new ReadableStream(source as never)
  }

  #drain(): void {
    const controller = this.#controller
    if (controller === undefined || this.#closed) return
    if (this.#blocked) {
      if (this.#buffer.length <= this.#maxUnread || this.#overflowed) return
      this.#overflowed = true
      this.#buffer = ''
      this.#events.overflow()
      return
    }
    if (this.#buffer !== '') {
      const written = controller.write(this.#buffer)
      this.#buffer = ''
      if (this.#ending) {
        this.#end(controller)
        return
      }
      const flushed = controller.flush()
      if (written instanceof Promise || flushed instanceof Promise) this.#wait(written, flushed)
    } else if (this.#ending) this.#end(controller)
  }

  #wait(written: number | Promise<number>, flushed: number | Promise<number> | undefined): void {
    this.#blocked = true
    const go = () => {
      this.#blocked = false
      this.#drain()
    }
    Promise.all([written, flushed]).then(go, () => this.close())
  }

  #end(controller: DirectController): void {
    this.#closed = true
    controller.end()
    this.#finish?.()
  }
}
