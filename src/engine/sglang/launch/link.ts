// Channel A: the unix socket that the bridge connects to. Accepts one peer that knows the secret, cuts its bytes into messages, coalesces ours.
import { chmodSync, rmSync } from 'node:fs'
import { Cursor, decode } from '../../../transport/msgpack.ts'
import { FrameReader, type Hello, toUs } from '../frames.ts'

export interface LinkEvents {
  hello(hello: Hello): void
  /** Each later message: its type, and the message itself (valid during the call). */
  message(type: number, bytes: Uint8Array): void
  /** The bridge is gone, or spoke nonsense. Told once, and only after `hello`. */
  closed(reason: string): void
}

export interface Link {
  /** Queues a frame; what one turn of the loop queued leaves in one write. After `closed` it is dropped. */
  send(frame: Uint8Array): void
  close(): void
}

interface Peer {
  reader: FrameReader
}

/** Listens at `path` (this user only). A peer whose first message is not HELLO with `secret` is turned away. */
export function openLink(path: string, secret: string, events: LinkEvents): Link {
  let chosen: Bun.Socket<Peer> | undefined
  let done = false
  let queue: Uint8Array[] = []
  let rest: Uint8Array | undefined
  let scheduled = false
  const cursor = new Cursor()

  const finish = (reason: string) => {
    if (done) return
    done = true
    queue = []
    events.closed(reason)
  }
  const take = (socket: Bun.Socket<Peer>, bytes: Uint8Array) => {
    cursor.reset(bytes)
    cursor.array()
    const type = cursor.number()
    if (socket === chosen) return events.message(type, bytes)
    const hello = type === toUs.hello ? ((decode(bytes) as [number, Hello])[1] as Hello) : undefined
    if (chosen || hello?.secret !== secret) {
      socket.end()
      return
    }
    chosen = socket
    listener.stop()
    events.hello(hello)
  }
  const flush = () => {
    scheduled = false
    if (!chosen || done || rest) return
    if (queue.length === 0) return
    const bytes = queue.length === 1 ? queue[0]! : Buffer.concat(queue)
    queue = []
    write(bytes)
  }
  const write = (bytes: Uint8Array) => {
    const written = Math.max(chosen!.write(bytes), 0)
    rest = written < bytes.length ? bytes.subarray(written) : undefined
  }
  const listener = Bun.listen<Peer>({
    unix: path,
    socket: {
      open(socket) {
        socket.data = { reader: new FrameReader((bytes) => take(socket, bytes)) }
      },
      data(socket, chunk) {
        try {
          socket.data.reader.push(chunk)
        } catch (thrown) {
          // Nothing after a message that cannot be read can be trusted.
          socket.end()
          if (socket === chosen) finish(`unreadable message: ${thrown instanceof Error ? thrown.message : thrown}`)
        }
      },
      drain() {
        const pending = rest
        rest = undefined
        if (pending) write(pending)
        flush()
      },
      close(socket) {
        if (socket === chosen) finish('the bridge closed its socket')
      },
      error(socket, error) {
        if (socket === chosen) finish(error.message)
      },
    },
  })
  chmodSync(path, 0o600)
  return {
    send(frame) {
      if (done) return
      queue.push(frame)
      if (scheduled) return
      scheduled = true
      queueMicrotask(flush)
    },
    close() {
      done = true
      listener.stop()
      chosen?.end()
      rmSync(path, { force: true })
    },
  }
}
