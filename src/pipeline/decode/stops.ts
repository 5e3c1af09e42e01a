// Stop strings over streamed text: what is certainly before any stop string goes out, a tail that may begin one is held back.

export class StopMatcher {
  /** The stop string that was found; null before. */
  matched: string | null = null
  #held = ''
  readonly #stops: readonly string[]
  readonly #include: boolean

  /** `include` keeps the stop string itself in the text. */
  constructor(stops: readonly string[], include: boolean) {
    this.#stops = stops
    this.#include = include
  }

  /** The text that may be shown now. Once `matched` is set, the answer is over and nothing more may be pushed. */
  push(text: string): string {
    const all = this.#held + text
    let at = -1
    for (const stop of this.#stops) {
      const found = all.indexOf(stop)
      if (found >= 0 && (at < 0 || found < at)) {
        at = found
        this.matched = stop
      }
    }
    if (this.matched !== null) {
      this.#held = ''
      return all.slice(0, this.#include ? at + this.matched.length : at)
    }
    const keep = this.#tail(all)
    this.#held = keep === 0 ? '' : all.slice(all.length - keep)
    return keep === 0 ? all : all.slice(0, all.length - keep)
  }

  /** What was held back, when the answer ended without a stop string. */
  end(): string {
    const rest = this.#held
    this.#held = ''
    return rest
  }

  /** Length of the longest end of `text` that begins some stop string. */
  #tail(text: string): number {
    let longest = 0
    for (const stop of this.#stops) {
      for (let length = Math.min(stop.length - 1, text.length); length > longest; length--) {
        if (text.endsWith(stop.slice(0, length))) {
          longest = length
          break
        }
      }
    }
    return longest
  }
}
