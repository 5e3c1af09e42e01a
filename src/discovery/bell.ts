// A wait that can be cut short: by its time, by a ring (also one that came before the wait), or by a signal.

export class Bell {
  private rung = false
  private wake: (() => void) | undefined

  ring(): void {
    this.rung = true
    this.wake?.()
  }

  /** Returns whether it was rung. */
  async wait(ms: number, signal?: AbortSignal): Promise<boolean> {
    if (!this.rung && signal?.aborted !== true) {
      await new Promise<void>((resolve) => {
        const done = () => {
          clearTimeout(timer)
          signal?.removeEventListener('abort', done)
          this.wake = undefined
          resolve()
        }
        const timer = setTimeout(done, ms)
        signal?.addEventListener('abort', done)
        this.wake = done
      })
    }
    const { rung } = this
    this.rung = false
    return rung
  }
}
