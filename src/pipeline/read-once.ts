// Equal pictures and clips of one request are fetched and decoded once, however often its messages name them.
import type { MediaPart } from './types.ts'

type Read<T> = (part: MediaPart, signal: AbortSignal, onTokens?: (tokens: number) => void) => Promise<T>

/** What decides what is read, besides the address: of the details only "low" changes it. */
const wishesOf = ({ kind, detail, sampling }: MediaPart) => JSON.stringify([kind, detail === 'low', sampling])

/** No server hears of a #fragment. */
const addressOf = ({ url }: MediaPart) => (/^https?:/i.test(url) ? url.split('#', 1)[0]! : url)

/**
 * `read`, asked once for equal parts; a failure is told of the first of them. To be made anew for each request, all of whose parts share one signal. Clips
 * that come as their frames are always read.
 */
export function readOnce<T>(read: Read<T>): Read<T> {
  // By the address itself: one with the picture in it is long, and not to be copied into a key.
  const found = new Map<string, Map<string, Promise<T>>>()
  return (part, signal, onTokens) => {
    if (part.frames !== undefined) return read(part, signal, onTokens)
    const address = addressOf(part)
    const same = found.get(address) ?? new Map<string, Promise<T>>()
    found.set(address, same)
    const wishes = wishesOf(part)
    const made = same.get(wishes) ?? read(part, signal, onTokens)
    same.set(wishes, made)
    return made
  }
}
