// The sockets of language servers, by host:port: one connection each, kept between requests, a new one when it is gone.
import { AppError } from '../../../lib/errors.ts'
import { type PushSocket, pushSocket } from '../../../transport/zmtp/push.ts'

/** A connection that carried nothing for this long is closed; tokenizers take another port for each request. */
const idleMs = 30_000

interface Kept {
  socket: PushSocket
  /** Messages that wait or leave. */
  busy: number
  idle: ReturnType<typeof setTimeout> | undefined
}

export class Receivers {
  private readonly kept = new Map<string, Kept>()

  /** Resolves when the kernel has all bytes; a receiver that does not read holds it up until `signal` aborts. Rejects with `engine_failed`. */
  async push(address: string, parts: readonly Uint8Array[], signal: AbortSignal): Promise<void> {
    // A kept connection may have died unseen: nothing of the message has arrived whole then, so it is sent again once.
    for (let fresh = false; ; ) {
      const known = this.kept.get(address)
      fresh = known === undefined || known.socket.closed
      const kept = fresh ? this.dial(address) : known!
      kept.busy++
      clearTimeout(kept.idle)
      try {
        return await kept.socket.send(parts, signal)
      } catch (cause) {
        if (signal.aborted) throw signal.reason
        if (fresh)
          throw new AppError('engine_failed', { status: 502, message: `The language server at ${address} took no embeddings.`, cause })
      } finally {
        if (--kept.busy === 0) kept.idle = setTimeout(() => kept.socket.close(), idleMs)
      }
    }
  }

  get connections(): number {
    return this.kept.size
  }

  close(): void {
    for (const { socket, idle } of [...this.kept.values()]) {
      clearTimeout(idle)
      socket.close()
    }
  }

  private dial(address: string): Kept {
    const { host, port } = hostAndPort(address)
    const socket = pushSocket(host, port, () => {
      if (this.kept.get(address)?.socket !== socket) return
      clearTimeout(kept.idle)
      this.kept.delete(address)
    })
    const kept: Kept = { socket, busy: 0, idle: undefined }
    this.kept.set(address, kept)
    return kept
  }
}

/** The longest name that DNS has is 253 characters. */
const maxHostChars = 255

/** Whether a text may be a host: a name, an IPv4, an IPv6 with or without brackets and zone. */
export function isHost(text: string): boolean {
  return text.length <= maxHostChars && /^(?:[\w.-]+|\[?[\da-fA-F:.]+(?:%[\w.-]+)?\]?)$/.test(text)
}

/** `host:port`, the host of IPv6 in brackets or not. Throws `invalid_value`. */
export function hostAndPort(address: string): { host: string; port: number } {
  const match = /^(?:tcp:\/\/)?(.+):(\d{1,5})$/.exec(address.slice(0, maxHostChars + 16))
  const port = Number(match?.[2])
  if (match === null || !isHost(match[1]!) || port < 1 || port > 65_535)
    throw new AppError('invalid_value', { param: 'receive_url', message: `'${address.slice(0, 80)}' is no host:port.` })
  return { host: match[1]!.replace(/^\[|\]$/g, ''), port }
}
