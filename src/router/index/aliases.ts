// Names that one slot has for a block and the shared table does not: engines whose names are no content hashes, or two names for one content.
// Rare, so maps will do. For a node that stands here, the slot's names and the tiers under each are all here, and nowhere else.

/** Bits: 1 device, 2 host, 4 disk. */
export type Tiers = number

interface Alias {
  node: number
  tiers: Tiers
}

export interface Aliases {
  byName: Map<bigint, Alias>
  byNode: Map<number, Set<bigint>>
}

export function makeAliases(): Aliases {
  return { byName: new Map(), byNode: new Map() }
}

export function nameOf(low: number, high: number): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)
}

/** One more name for a node, or one more tier under a name. */
export function addAlias(aliases: Aliases, name: bigint, node: number, tiers: Tiers): void {
  const known = aliases.byName.get(name)
  if (known !== undefined) known.tiers |= tiers
  else aliases.byName.set(name, { node, tiers })
  const names = aliases.byNode.get(node)
  if (names === undefined) aliases.byNode.set(node, new Set([name]))
  else names.add(name)
}

/** Takes a tier from a name; returns true when no other name of the node has that tier, so that it is the slot's no more. */
export function dropAlias(aliases: Aliases, name: bigint, alias: Alias, tier: Tiers): boolean {
  if ((alias.tiers & tier) === 0) return false
  alias.tiers &= ~tier
  const names = aliases.byNode.get(alias.node)!
  if (alias.tiers === 0) {
    aliases.byName.delete(name)
    names.delete(name)
    if (names.size === 0) aliases.byNode.delete(alias.node)
  }
  for (const other of names) if ((aliases.byName.get(other)!.tiers & tier) !== 0) return false
  return true
}

/** The node has another number now. */
export function moveAliases(aliases: Aliases, from: number, to: number): void {
  const names = aliases.byNode.get(from)
  if (names === undefined) return
  aliases.byNode.delete(from)
  aliases.byNode.set(to, names)
  for (const name of names) aliases.byName.get(name)!.node = to
}
