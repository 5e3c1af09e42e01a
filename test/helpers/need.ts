// Tests that need something the machine may lack ask here: a miss is named, and with REQUIRE_ALL=1 (CI) it is a failure.

const told = new Set<string>()

/** Returns `present`. When it is false: throws under REQUIRE_ALL=1, else prints `skipped: needs <name>` once. */
export function need(name: string, present: boolean): boolean {
  if (present) return true
  if (process.env.REQUIRE_ALL === '1') throw new Error(`REQUIRE_ALL=1, but this machine lacks: ${name}`)
  if (!told.has(name)) {
    told.add(name)
    console.warn(`skipped: needs ${name}`)
  }
  return false
}
