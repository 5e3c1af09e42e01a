// The life of an engine that is a bridge process: started, started again with back-off when it dies, ended; and who is told of it. What happens
// inside the engine is the caller's.
import { AppError, toAppError } from '../../../lib/errors.ts'
import { type Kept, keepAlive } from '../../supervisor.ts'
import { Calls } from '../control.ts'
import type { BridgeProcess } from '../launch/process.ts'

/** What every engine tells; `reason` is for people. */
export interface StateEvent {
  kind: 'state'
  ready: boolean
  reason: string
}

export interface LifeParts<Bridge extends BridgeProcess<unknown>, Info> {
  /** Told when the first start begins. */
  starting: string
  /** What those inside are told when it died, and when it is ended. */
  words: { died: string; stopping: string }
  /** How long it may take to end its own processes. */
  shutdownMs: number
  /** What operators should know. */
  notice(text: string): void
  /** Starts a bridge, to its READY; `down` is to be told when it serves no more. Rejects with a start-up AppError, and then nothing is left running. */
  launch(signal: AbortSignal, down: (reason: string) => void): Promise<Bridge>
  info(ready: Bridge['ready']): Info
  /** The bridge is there, but not for everybody: what must be done before it counts as ready. */
  warm?(bridge: Bridge): Promise<void>
  /** It is ready from now on; returns what is told then. */
  begin(bridge: Bridge): string
  /** It is gone, or is about to be ended: undoes `begin`. */
  leave?(): void
  /** Everything inside fails now. Calls are the life's own. */
  failAll?(error: AppError): void
  /** What a call is told while there is no bridge. */
  unavailable(): AppError
}

export class BridgeLife<Bridge extends BridgeProcess<unknown>, Info, Event = never> {
  readonly calls = new Calls()
  /** What runs now. */
  bridge: Bridge | undefined
  private readonly parts: LifeParts<Bridge, Info>
  private readonly listeners = new Set<(event: Event | StateEvent) => void>()
  /** Ends a start that is under way. */
  private readonly giveUp = new AbortController()
  private facts: Info | undefined
  private kept: Kept | undefined
  private ending: Promise<void> | undefined
  /** A start that has not come to its end; never rejects. */
  private launching: Promise<unknown> = Promise.resolve()
  private retryAt = 0

  /** Nothing is started before `start`. */
  constructor(parts: LifeParts<Bridge, Info>) {
    this.parts = parts
  }

  /** Of the newest bridge, also while none runs. */
  get info(): Info {
    if (!this.facts) throw new Error('the engine has not started')
    return this.facts
  }

  get ready(): boolean {
    return this.bridge !== undefined && !this.stopping
  }

  get stopping(): boolean {
    return this.ending !== undefined
  }

  /** When it is worth asking again. */
  get retryAfterSecs(): number {
    return Math.max(1, Math.ceil((this.retryAt - Date.now()) / 1000))
  }

  /** Resolves when it serves; rejects with a start-up AppError. From then on it is started again whenever it dies. */
  async start(): Promise<Info> {
    this.emit({ kind: 'state', ready: false, reason: this.parts.starting })
    const first = await this.launchOnce()
    this.kept = keepAlive(
      {
        start: () => this.launchOnce(),
        onDown: (reason, delayMs) => {
          this.retryAt = Date.now() + delayMs
          this.parts.notice(`${reason}; starting again in ${delayMs / 1000} s`)
          this.emit({ kind: 'state', ready: false, reason })
        },
      },
      first.died,
    )
    return this.info
  }

  /** An operation of the bridge; rejects with an AppError. */
  call(name: string, args: Record<string, unknown>, timeoutMs?: number): Promise<unknown> {
    const bridge = this.bridge
    if (!bridge) return Promise.reject(this.parts.unavailable())
    return this.calls.call((frame) => bridge.send(frame), name, args, timeoutMs)
  }

  /** The returned function ends it. */
  on(listener: (event: Event | StateEvent) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  emit(event: Event | StateEvent): void {
    for (const listener of this.listeners) {
      try {
        listener(event)
      } catch (thrown) {
        this.parts.notice(`a listener threw: ${toAppError(thrown).message}`)
      }
    }
  }

  /** From now on it is not started again. */
  retire(): void {
    this.kept?.end()
  }

  /** `drain` lets what runs come to its end. Resolves when every process is gone; a second call gives the same promise. */
  stop(drain?: () => Promise<void>): Promise<void> {
    this.ending ??= this.end(drain)
    return this.ending
  }

  private async end(drain: (() => Promise<void>) | undefined): Promise<void> {
    this.retire()
    if (drain) await drain()
    this.failAll(this.shuttingDown())
    const bridge = this.bridge
    this.leave()
    if (bridge) await bridge.stop(this.parts.shutdownMs)
    this.giveUp.abort()
    await this.launching
    this.emit({ kind: 'state', ready: false, reason: 'stopped' })
  }

  private launchOnce(): Promise<{ died: Promise<string> }> {
    const launch = this.launch()
    this.launching = launch.catch(() => {})
    return launch
  }

  private async launch(): Promise<{ died: Promise<string> }> {
    const bridge = await this.parts.launch(this.giveUp.signal, (reason) => this.wentDown(reason))
    if (this.stopping) {
      await bridge.stop(this.parts.shutdownMs)
      throw this.shuttingDown()
    }
    this.bridge = bridge
    this.facts = this.parts.info(bridge.ready)
    if (this.parts.warm) await this.parts.warm(bridge)
    if (this.bridge === bridge) this.emit({ kind: 'state', ready: true, reason: this.parts.begin(bridge) })
    return { died: bridge.died }
  }

  /** It is gone: everybody inside learns it now, the restart follows when its processes have ended. */
  private wentDown(reason: string): void {
    this.retryAt = Date.now() + 1000
    this.leave()
    this.failAll(new AppError('engine_failed', { message: this.parts.words.died, cause: new Error(reason) }))
    if (!this.stopping) this.emit({ kind: 'state', ready: false, reason })
  }

  private leave(): void {
    this.bridge = undefined
    this.parts.leave?.()
  }

  private failAll(error: AppError): void {
    this.parts.failAll?.(error)
    this.calls.failAll(error)
  }

  private shuttingDown(): AppError {
    return new AppError('shutting_down', { message: this.parts.words.stopping })
  }
}

/** The same for all that take requests. */
export const engineWords = {
  died: 'The engine stopped while it worked on this request.',
  stopping: 'The engine is shutting down.',
  absent: 'The engine is not ready. Try again shortly.',
} as const
