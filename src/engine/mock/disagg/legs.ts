// What a mock engine's role changes: a decode engine's requests wait for their KV before they run, a prefill engine's stay until theirs was fetched.
import { fakeBootstrapHost } from '../../canary.ts'
import type { Finish, GenerateRequest } from '../../types.ts'
import type { MockConfig } from '../options.ts'
import type { Sequence } from '../rank/sequence.ts'
import { fetchKv } from './kv-fetch.ts'
import { PrefillRooms } from './prefill-rooms.ts'

export interface LegHooks {
  /** The prompt's KV is here: run it. */
  run(sequence: Sequence): void
  end(sequence: Sequence, finish: Finish): void
}

export class Legs {
  private readonly config: MockConfig
  private readonly hooks: LegHooks
  private readonly rooms: PrefillRooms<Sequence> | undefined
  /** Decode: how to give up each fetch under way. */
  private readonly fetches = new Map<Sequence, () => void>()
  private transfers = 0

  constructor(config: MockConfig, hooks: LegHooks) {
    this.config = config
    this.hooks = hooks
    if (config.role === 'prefill')
      this.rooms = new PrefillRooms<Sequence>(
        {
          sent: (sequence) => hooks.end(sequence, sequence.finish!),
          failed: (sequence, why) => hooks.end(sequence, failure(why)),
        },
        config.bootstrapTimeoutMs,
      )
  }

  /** Prefill engines: opens the bootstrap server. The address is another at each call. */
  listen(): { host: string; port: number } | undefined {
    if (this.rooms === undefined) return undefined
    const host = this.config.bootstrapHost
    return { host, port: this.rooms.listen(host) }
  }

  /** A request has come in. True: it runs later, when its KV has come. */
  waits(sequence: Sequence): boolean {
    const meeting = meetingOf(sequence.plan.request)
    if (meeting === undefined) return false
    this.rooms?.announce(meeting.room, sequence)
    if (this.config.role !== 'decode') return false
    const giveUp = fetchKv(meeting, (fetched) => {
      this.fetches.delete(sequence)
      if (fetched.kind === 'failed') return this.hooks.end(sequence, failure(fetched.why))
      sequence.arrived = true
      sequence.cachedTokens = fetched.cachedTokens
      this.hooks.run(sequence)
    })
    this.fetches.set(sequence, giveUp)
    return true
  }

  /** A prefill engine's prompt is computed. True: it ends later, when its KV has left. */
  holds(sequence: Sequence): boolean {
    const meeting = meetingOf(sequence.plan.request)
    if (this.rooms === undefined || meeting === undefined) return false
    const { failure, transfer, speedupRatio } = this.config
    if (failure.transferFailEvery > 0 && ++this.transfers % failure.transferFailEvery === 0) {
      this.hooks.end(sequence, transferFailed)
      return true
    }
    const tokens = sequence.plan.prompt.length
    const transferMs = (transfer.baseMs + transfer.tokenMs * tokens) / speedupRatio
    if (!failure.transferStall) this.rooms.computed(meeting.room, transferMs, sequence.cachedTokens)
    return true
  }

  /** The request has ended, however it did: its other leg hears of it unless the KV has gone over. */
  ended(sequence: Sequence): void {
    const giveUp = this.fetches.get(sequence)
    this.fetches.delete(sequence)
    giveUp?.()
    const meeting = meetingOf(sequence.plan.request)
    if (meeting !== undefined) this.rooms?.forget(meeting.room, 'the prefill leg ended')
  }

  /** The engine died or stops: its connections close with it. */
  close(): void {
    this.rooms?.close()
  }
}

/** The other leg, when there is one. */
function meetingOf({ bootstrap }: GenerateRequest) {
  return bootstrap === undefined || bootstrap.host === fakeBootstrapHost ? undefined : bootstrap
}

/** As SGLang tells a transfer that failed. */
function failure(why: string): Finish {
  return { kind: 'abort', message: `KV transfer failed: ${why}`, status: 500, errorType: 'InternalServerError' }
}

const transferFailed = failure('the failure setting asks for it')
