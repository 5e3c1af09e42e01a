// Bytes to one client as they come. Response headers wait for the first of them, so that a failure before has its own status; a client that
// does not read is bounded, and so are all streams of one budget together; what ends early cuts the connection, so that half of an answer
// never looks like a whole one.
import type { Debtor, UnreadBudget } from '../stream/unread-budget.ts'

/** Bun's direct stream controller: `write` and `flush` give a promise while the socket takes nothing more. */
interface DirectController {
  write(bytes: Uint8Array): number | Promise<number>
  flush(): number | Promise<number> | undefined
  end(): unknown
}

export interface FrameWriterEvents {
  /** The first bytes are there: answer the HTTP request with this body. */
  open(body: ReadableStream): void
  /** More than `maxUnread` bytes wait, or too many in all streams of the budget, or the client left: nothing is taken any more. */
  lost(): void
}

/** Bytes that Bun is given at once: what it has taken, it keeps until the client reads or leaves. */
const PIECE = 1 << 20

export class FrameWriter implements Debtor {
  stuckSince: number | undefined
  readonly #events: FrameWriterEvents
  readonly #maxUnread: number
  readonly #budget: UnreadBudget
  #waiting: Uint8Array[] = []
  #unread = 0
  #controller: DirectController | undefined
  #opened = false
  #ending = false
  #over = false
  #broken = false
  #blocked = false
  #done: { resolve: () => void; reject: () => void } | undefined
  /** What `end` promised. */
  #sent: ((whole: boolean) => void) | undefined

  constructor(events: FrameWriterEvents, maxUnread: number, budget: UnreadBudget) {
    this.#events = events
    this.#maxUnread = maxUnread
    this.#budget = budget
  }

  /** True once headers are on their way. */
  get opened(): boolean {
    return this.#opened
  }

  write(...parts: Uint8Array[]): void {
    if (this.#over || this.#ending) return
    for (const part of parts) {
      this.#waiting.push(part)
      this.#unread += part.byteLength
    }
    if (this.#unread > this.#maxUnread) {
      this.cut()
      return
    }
    if (!this.#opened) {
      this.#opened = true
      this.stuckSince = performance.now()
      this.#events.open(this.#body())
    } else this.#drain()
    if (!this.#over) this.#budget.set(this, this.#unread)
  }

  /** Adds the last bytes and closes the answer after them. Resolves with whether the socket has taken all of it, or the client left, or was cut, before. */
  end(last: Uint8Array): Promise<boolean> {
    if (this.#over || this.#ending) return Promise.resolve(false)
    this.write(last)
    if (this.#over) return Promise.resolve(false)
    const { promise, resolve } = Promise.withResolvers<boolean>()
    this.#sent = resolve
    this.#ending = true
    this.#drain()
    return promise
  }

  /** Cuts the connection without an end. Bun does so when a body rejects, and prints why unless it is nothing. */
  break(): void {
    if (this.#over) return
    this.#close()
    this.#broken = true
    this.#waiting = []
    this.#unread = 0
    this.#sent?.(false)
    this.#done?.reject()
  }

  /** Breaks off, and tells so. */
  cut(): void {
    if (this.#over) return
    this.break()
    this.#events.lost()
  }

  #close(): void {
    this.#over = true
    this.stuckSince = undefined
    this.#budget.set(this, 0)
  }

  #body(): ReadableStream {
    const source = {
      type: 'direct',
      pull: (controller: DirectController) => {
        this.#controller = controller
        const done = new Promise<void>((resolve, reject) => {
          this.#done = { resolve, reject: () => reject(undefined) }
        })
        this.#drain()
        if (this.#broken) this.#done?.reject()
        return done
      },
      cancel: () => this.cut(),
    }
    // Bun's own kind of source, which the web types do not know.
    return new ReadableStream(source as never)
  }

  #drain(): void {
    const controller = this.#controller
    if (controller === undefined || this.#over || this.#blocked) return
    while (this.#waiting.length > 0) {
      const results: unknown[] = []
      for (let given = 0; given < PIECE && this.#waiting.length > 0; ) {
        const part = this.#waiting.shift()!
        results.push(controller.write(part))
        given += part.byteLength
        this.#unread -= part.byteLength
      }
      if (this.#ending && this.#waiting.length === 0) break
      results.push(controller.flush())
      if (!results.some((result) => result instanceof Promise)) continue
      this.#wait(results)
      return
    }
    this.stuckSince = undefined
    if (!this.#ending) {
      this.#budget.set(this, 0)
      return
    }
    this.#close()
    this.#sent?.(true)
    controller.end()
    this.#done?.resolve()
  }

  #wait(results: unknown[]): void {
    this.#blocked = true
    this.stuckSince = performance.now()
    this.#budget.set(this, this.#unread)
    const go = () => {
      this.#blocked = false
      this.#drain()
    }
    Promise.all(results).then(go, () => this.cut())
  }
}
