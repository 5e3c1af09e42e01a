// Which encoder of a pool a picture goes to. Nothing is booked here.
import type { MediaItem } from '../../types.ts'
import type { Member } from './member.ts'

export interface Choice {
  chosen: Member | undefined
  /** Were left alone, and are shown the picture besides: nobody shall wait for an encoder that may still hang while another is well. */
  besides: readonly Member[]
}

/** The lightest of `usable` that is well and was not tried, else one that was left alone and may be tried again. */
export function choose(usable: readonly Member[], tried: ReadonlySet<Member>, item: MediaItem, now: number): Choice {
  const free = usable.filter((member) => !tried.has(member) && !member.isAside(now))
  const suspects = free.filter((member) => member.suspect)
  const well = lightest(
    free.filter((member) => !member.suspect),
    item,
  )
  return well === undefined ? { chosen: lightest(suspects, item), besides: [] } : { chosen: well, besides: suspects }
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
