// Bytes to one client as they come. Response headers wait for the first of them, so that a failure before has its own status; a client that
// does not read is bounded; what ends early cuts the connection, so that half of an answer never looks like a whole one.

/** Bun's direct stream controller: `write` and `flush` give a promise while the socket takes nothing more. */
interface DirectController {
  write(bytes: Uint8Array): number | Promise<number>
  flush(): number | Promise<number> | undefined
  end(): unknown
}

export interface FrameWriterEvents {
  /** The first bytes are there: answer the HTTP request with this body. */
  open(body: ReadableStream): void
  /** More than `maxUnread` bytes wait, or the client left: nothing is taken any more. */
  lost(): void
}

export class FrameWriter {
  readonly #events: FrameWriterEvents
  readonly #maxUnread: number
  #waiting: Uint8Array[] = []
  #unread = 0
  #controller: DirectController | undefined
  #opened = false
  #ending = false
  #over = false
  #blocked = false
  #done: { resolve: () => void; reject: () => void } | undefined

  constructor(events: FrameWriterEvents, maxUnread: number) {
    this.#events = events
    this.#maxUnread = maxUnread
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
      this.#lose()
      return
    }
    if (!this.#opened) {
      this.#opened = true
      this.#events.open(this.#body())
    } else this.#drain()
  }

  /** Adds the last bytes and closes the answer after them. */
  end(last: Uint8Array): void {
    if (this.#over || this.#ending) return
    this.write(last)
    this.#ending = true
    this.#drain()
  }

  /** Cuts the connection without an end. Bun does so when a body rejects, and prints why unless it is nothing. */
  cut(): void {
    if (this.#over) return
    this.#over = true
    this.#waiting = []
    this.#done?.reject()
  }

  #lose(): void {
    if (this.#over) return
    this.cut()
    this.#events.lost()
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
        if (this.#over && !this.#ending) this.#done?.reject()
        return done
      },
      cancel: () => this.#lose(),
    }
    // Bun's own kind of source, which the web types do not know.
    return new ReadableStream(source as never)
  }

  #drain(): void {
    const controller = this.#controller
    if (controller === undefined || this.#over || this.#blocked) return
    const results: unknown[] = this.#waiting.map((part) => controller.write(part))
    this.#waiting = []
    this.#unread = 0
    if (this.#ending) {
      this.#over = true
      controller.end()
      this.#done?.resolve()
      return
    }
    results.push(controller.flush())
    if (!results.some((result) => result instanceof Promise)) return
    this.#blocked = true
    const go = () => {
      this.#blocked = false
      this.#drain()
    }
    Promise.all(results).then(go, () => this.#lose())
  }
}
