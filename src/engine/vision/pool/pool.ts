// Many encoders as one: each picture goes to the one with the fewest patches in flight, again to another when that one fails, dies or hangs. An encoder that hangs is left
// alone and tried again beside the running work. Encoders come and go at any time; a picture is only given up when nobody can encode it.
import { AppError, toAppError } from '../../../lib/errors.ts'
import type { MediaItem } from '../../types.ts'
import { patchesOf } from '../embeddings.ts'
import type { Embeddings, EncoderInfo, VisionEncoder } from '../vision.ts'
import { runAttempt, type Trouble } from './attempt.ts'
import { Changes } from './changes.ts'
import { type Attempt, defaultPatience, Member, type Patience } from './member.ts'

export interface PoolOptions {
  patience?: Partial<Patience>
  /** How long a picture waits while no encoder can take it. Default 1.8 s. */
  giveUpMs?: number
  onNotice?: (text: string) => void
}

export interface MemberFigures {
  id: string
  ready: boolean
  /** Left alone for now: it hung or failed. */
  aside: boolean
  patches: number
  pictures: number
  failures: number
  seconds: number
}

export interface VisionPool extends VisionEncoder {
  /** Starts it and gives it work as soon as it is ready. From now on the pool's; one whose domain is not the pool's stands by until the others are gone. */
  add(id: string, encoder: VisionEncoder): void
  /** No new work; stopped when what it has is done. Resolves then. */
  remove(id: string): Promise<void>
  figures(): MemberFigures[]
}

/** Failures of encoders that go on to live, and encoders that died, which one picture may cost before it is its own fault. */
const mostFailures = 3
const mostDeaths = 6
/** Before a picture goes to an encoder that failed it already. */
const breathMs = 50

/** `start` waits until one encoder is ready, also for one that is added later. */
export function visionPool(options: PoolOptions = {}): VisionPool {
  return new Pool(options)
}

class Pool implements VisionPool {
  private readonly members = new Map<string, Member>()
  private readonly patience: Patience
  private readonly giveUpMs: number
  private readonly onNotice: (text: string) => void
  private readonly listeners = new Set<(state: { ready: boolean; reason: string }) => void>()
  private readonly changes = new Changes()
  private readonly stopping = new AbortController()
  private serves = false
  private told = false
  private known: EncoderInfo | undefined
  private patches = 0

  constructor({ patience, giveUpMs = 1800, onNotice = () => {} }: PoolOptions) {
    this.patience = { ...defaultPatience, ...patience }
    this.giveUpMs = giveUpMs
    this.onNotice = onNotice
  }

  get info(): EncoderInfo {
    if (this.known === undefined) throw unavailable('No vision encoder has started yet.')
    return this.known
  }

  get ready(): boolean {
    return this.serves && !this.stopped && this.usable().length > 0
  }

  private get stopped(): boolean {
    return this.stopping.signal.aborted
  }

  async start(): Promise<EncoderInfo> {
    this.serves = true
    this.changed('started')
    while (!this.ready) {
      if (this.stopped) throw stopped()
      await this.changes.next()
    }
    return this.info
  }

  add(id: string, encoder: VisionEncoder): void {
    if (this.members.has(id)) throw new Error(`the pool has an encoder ${id} already`)
    const member = new Member(id, encoder, this.patience)
    this.members.set(id, member)
    encoder.on(({ ready, reason }) => {
      if (ready) member.forgive()
      this.changed(`encoder ${id}: ${reason}`)
    })
    encoder.start().then(
      ({ domain }) => {
        this.changed(`encoder ${id} started`)
        if (domain !== this.known?.domain)
          this.onNotice(`the vision encoder ${id} stands by: it is of ${domain}, the others of ${this.known?.domain}`)
      },
      (thrown) => {
        if (this.members.get(id) === member && !this.stopped)
          this.onNotice(`the vision encoder ${id} did not start: ${toAppError(thrown).message}`)
      },
    )
  }

  async remove(id: string): Promise<void> {
    const member = this.members.get(id)
    if (member === undefined) return
    this.members.delete(id)
    this.changed(`encoder ${id} left`)
    while (member.running.size > 0 && member.encoder.ready && !this.stopped) await this.changes.next()
    await member.encoder.stop()
  }

  on(listener: (state: { ready: boolean; reason: string }) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  patchesInFlight(): number {
    return this.patches
  }

  figures(): MemberFigures[] {
    const now = performance.now()
    return [...this.members.values()].map((member) => {
      const { id, encoder, pictures, failures, seconds } = member
      return { id, ready: encoder.ready, aside: member.isAside(now), patches: member.load(), pictures, failures, seconds }
    })
  }

  async stop(): Promise<void> {
    if (this.stopped) return
    this.stopping.abort()
    this.changed('stopped')
    await Promise.all([...this.members.values()].map(({ encoder }) => encoder.stop()))
  }

  async encode(item: MediaItem, signal: AbortSignal): Promise<Embeddings> {
    if (signal.aborted) throw cancelled()
    if (!this.serves || this.stopped) throw stopped()
    const patches = patchesOf(item)
    this.patches += patches
    try {
      return await this.somewhere(item, signal)
    } finally {
      this.patches -= patches
    }
  }

  private async somewhere(item: MediaItem, signal: AbortSignal): Promise<Embeddings> {
    const tried = new Set<Member>()
    let failures = 0
    let deaths = 0
    let last: Trouble | undefined
    for (;;) {
      const [member, attempt] = this.book(tried, item) ?? (await this.place(tried, last, item, signal))
      const outcome = await this.run(member, attempt, item, signal)
      if (!('kind' in outcome)) return outcome
      if (signal.aborted) throw cancelled()
      if (this.stopped) throw stopped()
      last = outcome
      if (outcome.kind === 'final') throw outcome.error
      if (outcome.kind === 'unavailable') deaths += outcome.blame
      else failures++
      if (deaths > mostDeaths || failures >= mostFailures) throw outcome.error
      tried.add(member)
    }
  }

  private async run(member: Member, attempt: Attempt, item: MediaItem, signal: AbortSignal): Promise<Embeddings | Trouble> {
    const outcome = await runAttempt(member, attempt, item, signal)
    if ('kind' in outcome) {
      if (outcome.kind === 'stalled')
        this.onNotice(`the vision encoder ${member.id} finishes nothing; its pictures go elsewhere until it does`)
    } else if (attempt.trial) this.onNotice(`the vision encoder ${member.id} answers again`)
    this.changes.tell()
    return outcome
  }

  /**
   * Books the lightest member that is well and was not tried, else one that was left alone and may be tried again. At once, so that pictures which come together do not all
   * see the same load.
   */
  private book(tried: ReadonlySet<Member>, item: MediaItem): [Member, Attempt] | undefined {
    const now = performance.now()
    const patches = patchesOf(item)
    const free = this.usable().filter((member) => !tried.has(member) && !member.isAside(now))
    const well = lightest(
      free.filter((member) => !member.suspect),
      item,
    )
    const suspects = free.filter((member) => member.suspect)
    if (well === undefined) {
      const suspect = lightest(suspects, item)
      return suspect && [suspect, suspect.book(patches, now)]
    }
    // Nobody shall wait for an encoder that may still hang while another is well: it is shown the picture besides.
    for (const suspect of suspects) void this.run(suspect, suspect.book(patches, now), item, this.stopping.signal)
    return [well, well.book(patches, now)]
  }

  /** Waits for a member to book. Rejects after `giveUpMs` with the last failure. */
  private async place(tried: Set<Member>, last: Trouble | undefined, item: MediaItem, signal: AbortSignal): Promise<[Member, Attempt]> {
    const giveUpAt = performance.now() + this.giveUpMs
    for (;;) {
      const booked = this.book(tried, item)
      if (booked !== undefined) return booked
      const now = performance.now()
      // Who waited for an encoder that hangs has waited long enough.
      if (last !== undefined && (now >= giveUpAt || last.kind === 'stalled')) throw last.error
      if (now >= giveUpAt) throw unavailable('No vision encoder is running; start one, or look why those there are do not answer.')
      if (this.usable().some((member) => tried.has(member) && !member.isAside(now))) {
        tried.clear()
        await Promise.race([Bun.sleep(breathMs), this.changes.next(breathMs, signal)])
      } else {
        const backAt = Math.min(giveUpAt, ...this.usable().map((member) => Math.max(member.backAt, now + breathMs)))
        await this.changes.next(Math.max(1, backAt - now), signal)
      }
      if (signal.aborted) throw cancelled()
      if (this.stopped) throw stopped()
    }
  }

  /** Ready members of the pool's domain. */
  private usable(): Member[] {
    const domain = this.known?.domain
    return [...this.members.values()].filter(({ encoder }) => encoder.ready && encoder.info.domain === domain)
  }

  private changed(reason: string): void {
    // Rows of two domains would not be equal for equal pictures: the pool has one, until nobody of it is left. One that is down for now may come back.
    const members = [...this.members.values()]
    const domain = this.known?.domain
    if (domain === undefined || !members.some(({ info }) => info?.domain === domain)) {
      const next = members.find(({ encoder }) => encoder.ready)?.info
      if (next !== undefined) {
        this.known = next
        if (domain !== undefined) this.onNotice(`the vision encoders are now those of ${next.domain}`)
      }
    }
    this.changes.tell()
    const { ready } = this
    if (this.told === ready) return
    this.told = ready
    for (const listener of this.listeners) listener({ ready, reason })
  }
}

/** Among equals the one that a picture's name points to: processes that do not know of each other send the same picture to the encoder whose cache has it. */
function lightest(members: readonly Member[], { hash }: MediaItem): Member | undefined {
  let best: Member | undefined
  let least = Number.POSITIVE_INFINITY
  let nearest = 0n
  for (const member of members) {
    const load = member.load()
    if (load > least) continue
    // Highest random weight (Thaler and Ravishankar, 1998): a member that leaves moves only its own pictures.
    const near = BigInt(Bun.hash(`${member.id} ${hash}`))
    if (load === least && near < nearest) continue
    best = member
    least = load
    nearest = near
  }
  return best
}

function unavailable(message: string): AppError {
  return new AppError('engine_unavailable', { message, retryAfterSecs: 2 })
}

function stopped(): AppError {
  return unavailable('The pool of vision encoders is not running.')
}

function cancelled(): AppError {
  return new AppError('client_closed_request', { message: 'The request was cancelled.' })
}
