// Many encoders as one: each picture goes to the one with the fewest patches in flight, again to another when that one fails, dies or hangs, and besides to an idle one while it
// is slow. An encoder that hangs is left alone and tried again beside the running work. Encoders come and go at any time; a picture is only given up when nobody can encode it.
import { AppError, requestCancelled, toAppError } from '../../../lib/errors.ts'
import type { MediaItem } from '../../types.ts'
import { patchesOf } from '../embeddings.ts'
import type { Embeddings, EncoderInfo, VisionEncoder } from '../vision.ts'
import { runAttempt, type Trouble } from './attempt.ts'
import { Changes } from './changes.ts'
import { choose } from './choose.ts'
import { Course } from './course.ts'
import { defaultPatience, Member, type Patience } from './member.ts'
import { type Entrant, race, type Track } from './race.ts'
import { Ledger, type MemberFigures, type Totals } from './totals.ts'

export interface PoolOptions {
  patience?: Partial<Patience>
  /** How long a picture waits while no encoder can take it, from the moment that the last one still worked on it. Default 1.7 s. */
  giveUpMs?: number
  onNotice?: (text: string) => void
}

export interface VisionPool extends VisionEncoder {
  /** Starts it and gives it work as soon as it is ready. From now on the pool's; one whose domain is not the pool's stands by until the others are gone. */
  add(id: string, encoder: VisionEncoder): void
  /** No new work; stopped when what it has is done. Resolves then. */
  remove(id: string): Promise<void>
  figures(): MemberFigures[]
  /** Of encoders that are not there any more, by their ids. */
  left(): [id: string, totals: Totals][]
}

/** Before a picture goes to an encoder that failed it already. */
const breathMs = 50

/** One that is silent tells nobody that it is back. */
const lookAgainMs = 250

/** What is told of one that hangs. */
const missing: Partial<Record<Trouble['kind'], string>> = { stalled: 'finishes nothing', silent: 'shows no sign of life' }

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
  private readonly ledger = new Ledger()
  private readonly stopping = new AbortController()
  private serves = false
  private told = false
  private known: EncoderInfo | undefined
  private patches = 0
  private lastHeardAt = performance.now()
  private lookAgain: ReturnType<typeof setTimeout> | undefined

  constructor({ patience, giveUpMs = 1700, onNotice = () => {} }: PoolOptions) {
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
    const member = new Member(id, encoder, this.patience, this.ledger.take(id))
    this.members.set(id, member)
    encoder.on(({ ready, reason, died = false }) => {
      if (ready) member.forgive()
      if (died) member.totals.failures++
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
    this.ledger.leave(id, member.totals)
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

  /** As long as one of them lives; of one that shows no life nothing else is known. */
  get heardAt(): number {
    for (const { encoder } of this.usable()) this.lastHeardAt = Math.max(this.lastHeardAt, encoder.heardAt ?? performance.now())
    return this.lastHeardAt
  }

  figures(): MemberFigures[] {
    const now = performance.now()
    return [...this.members.values()].map((member) => member.figures(now))
  }

  left(): [id: string, totals: Totals][] {
    return this.ledger.entries()
  }

  async stop(): Promise<void> {
    if (this.stopped) return
    this.stopping.abort()
    this.changed('stopped')
    await Promise.all([...this.members.values()].map(({ encoder }) => encoder.stop()))
  }

  async encode(item: MediaItem, signal: AbortSignal): Promise<Embeddings> {
    if (signal.aborted) throw requestCancelled()
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
    const course = new Course()
    const { tried } = course
    const track: Track = {
      run: (entrant, over) => this.run(entrant, item, over),
      another: (member) => this.bookIdle(member, tried, item),
      changes: this.changes,
    }
    for (;;) {
      const entrant = this.book(tried, item) ?? (await this.place(course, item, signal))
      const outcome = await race(entrant, track, signal)
      if ('rows' in outcome) return outcome
      if (signal.aborted) throw requestCancelled()
      if (this.stopped) throw stopped()
      for (const loss of outcome) course.lost(loss)
    }
  }

  private async run([member, attempt]: Entrant, item: MediaItem, signal: AbortSignal): Promise<Embeddings | Trouble> {
    const again = () => this.onNotice(`the vision encoder ${member.id} answers again`)
    const outcome = await runAttempt(member, attempt, item, signal, (well) => {
      if (well) again()
      this.changes.tell()
    })
    const trouble = 'kind' in outcome ? outcome : undefined
    if (trouble === undefined && attempt.trial) again()
    if (trouble?.news) this.onNotice(`the vision encoder ${member.id} ${missing[trouble.kind]}; its pictures go elsewhere until it does`)
    if (trouble?.kind === 'silent') this.changed(`encoder ${member.id} ${missing.silent}`)
    else this.changes.tell()
    return outcome
  }

  /**
   * Books the lightest member that is well and was not tried, else one that was left alone and may be tried again. At once, so that pictures which come together do not all
   * see the same load.
   */
  private book(tried: ReadonlySet<Member>, item: MediaItem): Entrant | undefined {
    const now = performance.now()
    const patches = patchesOf(item)
    const { chosen, besides } = choose(this.usable(), tried, item, now)
    for (const suspect of besides) void this.run([suspect, suspect.book(patches, now)], item, this.stopping.signal)
    return chosen && [chosen, chosen.book(patches, now)]
  }

  /** Books a member that has nothing to do for a picture that `slow` has. */
  private bookIdle(slow: Member, tried: ReadonlySet<Member>, item: MediaItem): Entrant | undefined {
    const now = performance.now()
    const idle = this.usable().filter((member) => member !== slow && !member.suspect && member.load() === 0)
    const { chosen } = choose(idle, tried, item, now)
    return chosen && [chosen, chosen.book(patchesOf(item), now)]
  }

  /** Waits for a member to book. Rejects with the last failure once nobody has worked on it for `giveUpMs`, or nobody is left to ask. */
  private async place(course: Course, item: MediaItem, signal: AbortSignal): Promise<Entrant> {
    const { tried, last } = course
    const begun = performance.now()
    const giveUpAt = begun + this.giveUpMs - course.waitedMs
    for (;;) {
      const booked = this.book(tried, item)
      const now = performance.now()
      if (booked !== undefined) {
        course.waitedMs += now - begun
        return booked
      }
      const usable = this.usable()
      const again = usable.filter((member) => course.mayAsk(member))
      // Who waited for an encoder that hangs has waited long enough.
      const enough =
        last?.kind === 'stalled' || last?.kind === 'silent' || (last?.kind === 'failed' && usable.length > 0 && again.length === 0)
      if (last !== undefined && (enough || now >= giveUpAt)) throw last.error
      if (now >= giveUpAt) throw this.nobody(usable)
      if (again.some((member) => tried.has(member) && !member.isAside(now))) {
        course.again()
        await Promise.race([Bun.sleep(breathMs), this.changes.next(breathMs, signal)])
      } else {
        const backAt = Math.min(giveUpAt, ...again.map((member) => Math.max(member.backAt, now + breathMs)))
        const wait = this.silent() === undefined ? backAt - now : Math.min(backAt - now, breathMs)
        await this.changes.next(Math.max(1, wait), signal)
      }
      if (signal.aborted) throw requestCancelled()
      if (this.stopped) throw stopped()
    }
  }

  /** Members of the pool's domain that are ready and not silent. */
  private usable(): Member[] {
    const domain = this.known?.domain
    const now = performance.now()
    return [...this.members.values()].filter(
      (member) => member.encoder.ready && !member.isSilent(now) && member.encoder.info.domain === domain,
    )
  }

  private silent(): Member | undefined {
    return [...this.members.values()].find((member) => member.encoder.ready && member.isSilent(performance.now()))
  }

  /** Why nobody takes pictures: of those who are there all are left alone, or silent. */
  private nobody([aside]: readonly Member[]): AppError {
    if (aside !== undefined) return unavailable(`${aside.trouble} The vision encoder ${aside.id} is left alone for now.`)
    const silent = this.silent()
    if (silent !== undefined) return unavailable(`The vision encoder ${silent.id} shows no sign of life.`)
    return unavailable('No vision encoder is running; start one, or look why those there are do not answer.')
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
    clearTimeout(this.lookAgain)
    const silent = ready || this.stopped ? undefined : this.silent()
    if (silent !== undefined) this.lookAgain = setTimeout(() => this.changed(`encoder ${silent.id} shows life again`), lookAgainMs)
    if (this.told === ready) return
    this.told = ready
    for (const listener of this.listeners) listener({ ready, reason })
  }
}

function unavailable(message: string): AppError {
  return new AppError('engine_unavailable', { message, retryAfterSecs: 2 })
}

function stopped(): AppError {
  return unavailable('The pool of vision encoders is not running.')
}
