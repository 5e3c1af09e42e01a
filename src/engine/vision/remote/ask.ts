// Small questions over the request plane, and how many of them may be on their way.
import { AppError } from '../../../lib/errors.ts'
import type { PlaneClient } from '../../../transport/request-plane.ts'

/** A question that one message answers. Rejects when the stream fails or ends without it. */
export function ask(client: PlaneClient, head: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    let given: Uint8Array | undefined
    client.open(head, {
      message: (bytes) => {
        given = bytes.slice()
      },
      end: () =>
        given === undefined ? reject(new AppError('engine_failed', { message: 'The encode worker said nothing.' })) : resolve(given),
      fail: reject,
    })
  })
}

/** So many at a time, the rest in order. */
export class Places {
  private free: number
  private readonly waiting: (() => void)[] = []

  constructor(count: number) {
    this.free = count
  }

  async use<T>(work: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free--
    else await new Promise<void>((resolve) => this.waiting.push(resolve))
    try {
      return await work()
    } finally {
      const next = this.waiting.shift()
      if (next === undefined) this.free++
      else next()
    }
  }
}
