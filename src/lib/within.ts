// Waiting with an end.

/** Resolves when `work` has settled, at the latest after `ms`. Never rejects. */
export async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const late = Promise.withResolvers<void>()
  const timer = setTimeout(late.resolve, Math.max(0, ms))
  await Promise.race([work.catch(() => {}), late.promise])
  clearTimeout(timer)
}
