// The line to a real S3 server, as a test needs it: slow, held in one direction, or cut, with its bytes counted.
import type { Socket } from 'bun'

export interface S3Line {
  readonly endpoint: string
  /** Bytes that came from the server. */
  answered: number
  /** The first lines of all requests, `GET /media/x HTTP/1.1`. */
  readonly asked: string[]
  /** Bytes a second towards the server. Default: as they come. */
  upBytesPerSec: number
  /** Bytes from the server go on until so many came, then no more; Infinity lets them go. */
  letAnswer(bytes: number): void
  /** Connections that are open. */
  open(): number
  /** Every connection breaks, and new ones too until it is mended. */
  cut(): void
  mend(): void
  close(): void
}

interface End {
  other: Socket<End> | undefined
  isServer: boolean
  /** Not written yet. */
  left: Buffer
}

export function s3Line(port: number): S3Line {
  const ends = new Set<Socket<End>>()
  let allowed = Number.POSITIVE_INFINITY
  let whole = true

  /** Writes what it may of what `to` is owed. */
  function flush(to: Socket<End>): void {
    const { left } = to.data
    let count = left.length
    if (!to.data.isServer) count = Math.max(0, Math.min(count, allowed))
    else if (Number.isFinite(line.upBytesPerSec)) count = Math.min(count, Math.ceil(line.upBytesPerSec / 50))
    if (count === 0) return
    const written = Math.max(0, to.write(left.subarray(0, count)))
    to.data.left = left.subarray(written)
    if (!to.data.isServer) allowed -= written
  }
  // What is held or slow goes on by the clock.
  const pump = setInterval(() => {
    for (const end of ends) flush(end)
  }, 20)

  const socket = {
    data(one: Socket<End>, bytes: Buffer) {
      const to = one.data.other!
      if (one.data.isServer) line.answered += bytes.length
      else for (const [head] of bytes.toString('latin1').matchAll(/^(?:GET|HEAD|PUT|DELETE) .*(?= HTTP)/gm)) line.asked.push(head)
      const waits = to.data.left.length > 0
      to.data.left = Buffer.concat([to.data.left, bytes])
      if (!waits && (!to.data.isServer || !Number.isFinite(line.upBytesPerSec))) flush(to)
    },
    drain: flush,
    close(one: Socket<End>) {
      ends.delete(one)
      one.data.other?.end()
    },
    error() {},
  }
  const listener = Bun.listen<End>({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      ...socket,
      async open(one) {
        one.data = { other: undefined, isServer: false, left: Buffer.alloc(0) }
        if (!whole) return void one.terminate()
        one.pause()
        ends.add(one)
        const other = await Bun.connect<End>({
          hostname: '127.0.0.1',
          port,
          data: { other: one, isServer: true, left: Buffer.alloc(0) },
          socket,
        })
        one.data.other = other
        ends.add(other)
        one.resume()
      },
    },
  })
  const line: S3Line = {
    endpoint: `http://127.0.0.1:${listener.port}`,
    answered: 0,
    asked: [],
    upBytesPerSec: Number.POSITIVE_INFINITY,
    letAnswer: (bytes) => {
      allowed = bytes
    },
    open: () => ends.size / 2,
    mend: () => {
      whole = true
    },
    cut() {
      whole = false
      for (const end of ends) end.terminate()
    },
    close() {
      clearInterval(pump)
      line.cut()
      listener.stop(true)
    },
  }
  return line
}
