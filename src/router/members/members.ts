// A pool's workers and what their engines tell: slots come and go with them, KV events go into the index, loads into the slots.
import type { Engine } from '../../engine/engine.ts'
import type { EngineEvent, EngineInfo } from '../../engine/types.ts'
import { log } from '../../lib/log.ts'
import { free } from '../load/bookings.ts'
import type { Worker, Workers } from '../workers.ts'
import type { PromptGroup } from './prompt-group.ts'
import { type Member, newMember, Slot, SlotNumbers } from './slots.ts'

export interface MemberHooks {
  /** False: KV events are not listened to. */
  readonly useKvEvents: boolean
  makeGroup(blockSize: number): PromptGroup
  /** There may be room now. */
  changed(): void
  /** The engine is ready (again). */
  ready(member: Member): void
  /** Its worker is gone; its bookings are given back. */
  removed(slot: Slot): void
}

export class Members {
  readonly byId = new Map<string, Member>()
  readonly groups = new Map<number, PromptGroup>()
  readonly numbers = new SlotNumbers()
  private readonly hooks: MemberHooks
  private readonly unsubscribe: () => void

  constructor(workers: Workers, hooks: MemberHooks) {
    this.hooks = hooks
    for (const worker of workers.all()) this.add(worker)
    this.unsubscribe = workers.on(({ kind, worker }) => {
      if (kind === 'added') this.add(worker)
      else this.remove(worker.id)
    })
  }

  slot(workerId: string, rank: number): Slot | undefined {
    return this.byId.get(workerId)?.slots[rank]
  }

  /** All slots, by member. */
  slots(): Slot[] {
    return [...this.byId.values()].flatMap((member) => member.slots)
  }

  /** Slots of this member; an engine that has not started yet has none. */
  slotsOf(member: Member): readonly Slot[] {
    if (member.slots.length === 0 && member.worker.engine.ready) this.makeSlots(member)
    return member.slots
  }

  close(): void {
    this.unsubscribe()
    for (const id of [...this.byId.keys()]) this.remove(id)
  }

  private add(worker: Worker): void {
    const member = newMember(worker)
    this.byId.set(worker.id, member)
    this.makeSlots(member)
    member.unsubscribe = worker.engine.on((event) => this.hear(member, event))
    this.hooks.changed()
  }

  private remove(id: string): void {
    const member = this.byId.get(id)
    if (member === undefined) return
    member.unsubscribe()
    this.byId.delete(id)
    this.dropSlots(member)
    this.hooks.changed()
  }

  private hear(member: Member, event: EngineEvent): void {
    if (event.kind === 'kv') {
      const slot = member.slots[event.rank]
      if (slot === undefined || !this.hooks.useKvEvents) return
      for (const change of event.changes) {
        slot.group.index.apply(slot.number, change)
        slot.heard(change)
        if (change.kind === 'cleared') slot.group.predictions.forget(slot.number)
      }
    } else if (event.kind === 'load') {
      member.slots[event.rank]?.report(event)
      this.hooks.changed()
    } else if (event.ready) {
      this.makeSlots(member)
      this.hooks.ready(member)
      this.hooks.changed()
    } else for (const slot of member.slots) slot.down()
  }

  /** As many slots as the engine has ranks; others than before when it came back as something else. */
  private makeSlots(member: Member): void {
    const info = infoOf(member.worker.engine)
    if (info === undefined) return
    const first = member.slots[0]
    if (first === undefined || member.slots.length !== info.dpSize || first.group.blockSize !== info.blockSize) {
      this.dropSlots(member)
      const group = this.group(info.blockSize, member.worker.id)
      for (let rank = 0; rank < info.dpSize; rank++) member.slots.push(new Slot(this.numbers.take(), member, rank, group))
    }
    for (const slot of member.slots) slot.learn(info, this.hooks.useKvEvents)
  }

  private dropSlots(member: Member): void {
    for (const slot of member.slots) {
      for (const booking of [...slot.bookings]) free(booking)
      slot.live = false
      slot.group.forget(slot.number)
      this.numbers.give(slot.number)
      this.hooks.removed(slot)
    }
    const group = member.slots[0]?.group
    member.slots = []
    if (group !== undefined && !this.slots().some((slot) => slot.group === group)) this.groups.delete(group.blockSize)
  }

  private group(blockSize: number, workerId: string): PromptGroup {
    const known = this.groups.get(blockSize)
    if (known !== undefined) return known
    if (this.groups.size > 0)
      log.warn(
        { worker: workerId, blockSize, others: [...this.groups.keys()] },
        'workers of one model have different KV block sizes: each prompt is hashed once for each',
      )
    const made = this.hooks.makeGroup(blockSize)
    this.groups.set(blockSize, made)
    return made
  }
}

/** Undefined while the engine does not know yet. */
function infoOf(engine: Engine): EngineInfo | undefined {
  try {
    return engine.info
  } catch {
    return undefined
  }
}
