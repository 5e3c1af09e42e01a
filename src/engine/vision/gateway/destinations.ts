// Where a part's rows go: each scheduler rank of a language server tells its own address, before /encode comes or after it, until as many have told as there are.
import { AppError } from '../../../lib/errors.ts'

interface Entry {
  count: number
  /** Of its id and its addresses. */
  chars: number
  readonly urls: Set<string>
  readonly told: PromiseWithResolvers<readonly string[]>
  expiry: ReturnType<typeof setTimeout>
}

/** Ranks that told an address for a request of which nothing else is heard are forgotten after this long. */
const keptMs = 60_000
/** Requests whose ranks are remembered; more at once has nobody. */
const maxEntries = 20_000
/** Of all ids and addresses: those of maxEntries requests with 32 ranks each. The oldest go where strangers tell more. */
const maxChars = 16_000_000

export class Destinations {
  private readonly entries = new Map<string, Entry>()
  /** What is kept now. */
  chars = 0

  /** One rank's address; one more than there are ranks is not kept. Throws `invalid_value` when ranks disagree on how many they are. */
  tell(reqId: string, count: number, url: string): void {
    const entry = this.entry(reqId)
    if (entry.count !== 0 && entry.count !== count)
      throw new AppError('invalid_value', {
        param: 'receive_count',
        message: `The ranks of ${reqId} disagree on how many they are: ${entry.count} and ${count}.`,
      })
    entry.count = count
    if (entry.urls.size < count && !entry.urls.has(url)) {
      entry.urls.add(url)
      this.grow(entry, url)
    }
    if (entry.urls.size >= count) entry.told.resolve([...entry.urls])
  }

  /** All ranks' addresses, as soon as all are known. Rejects with the signal's reason. */
  wait(reqId: string, signal: AbortSignal): Promise<readonly string[]> {
    const entry = this.entry(reqId)
    return new Promise((resolve, reject) => {
      const onAbort = () => reject(signal.reason)
      if (signal.aborted) return onAbort()
      signal.addEventListener('abort', onAbort, { once: true })
      entry.told.promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
    })
  }

  forget(reqId: string): void {
    const entry = this.entries.get(reqId)
    if (entry === undefined) return
    clearTimeout(entry.expiry)
    this.chars -= entry.chars
    this.entries.delete(reqId)
  }

  clear(): void {
    for (const reqId of [...this.entries.keys()]) this.forget(reqId)
  }

  private entry(reqId: string): Entry {
    let entry = this.entries.get(reqId)
    if (entry === undefined) {
      if (this.entries.size >= maxEntries) this.forgetOldest()
      const expiry = setTimeout(() => this.forget(reqId), keptMs)
      entry = { count: 0, chars: 0, urls: new Set(), told: Promise.withResolvers(), expiry }
      this.entries.set(reqId, entry)
      this.grow(entry, reqId)
    }
    return entry
  }

  private grow(entry: Entry, { length }: string): void {
    entry.chars += length
    this.chars += length
    while (this.chars > maxChars) this.forgetOldest()
  }

  private forgetOldest(): void {
    const [oldest] = this.entries.keys()
    if (oldest !== undefined) this.forget(oldest)
  }
}
