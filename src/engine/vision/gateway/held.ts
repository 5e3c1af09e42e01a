// The pictures of requests that run in this process, by hash: what the gateway looks names up in. Several requests may have the same picture; it is here while one does.
import type { MediaItem } from '../../types.ts'

export class HeldPictures {
  private readonly items = new Map<string, { item: MediaItem; holders: number }>()

  /** From before the engine hears of the request until the returned function is called, once its rows are in the engine or it is over. */
  hold(items: readonly MediaItem[]): () => void {
    for (const item of items) {
      const held = this.items.get(item.hash)
      if (held === undefined) this.items.set(item.hash, { item, holders: 1 })
      else held.holders++
    }
    let done = false
    return () => {
      if (done) return
      done = true
      for (const { hash } of items) {
        const held = this.items.get(hash)
        if (held !== undefined && --held.holders === 0) this.items.delete(hash)
      }
    }
  }

  /** As GatewayOptions.files wants it. */
  readonly find = (hash: string): MediaItem | undefined => this.items.get(hash)?.item

  get size(): number {
    return this.items.size
  }
}
