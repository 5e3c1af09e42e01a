// A wire between two processes that a test can cut and mend: a TCP port whose connections go on to another one.
import type { Socket } from 'bun'

export interface Relay {
  /** Every connection breaks, new ones are refused. */
  cut(): void
  mend(): void
  /** Connections so far. */
  made(): number
  close(): void
}

interface Side {
  other: Socket<Side> | undefined
  /** What could not be written yet; its reader stands still meanwhile. */
  left: Uint8Array
}

const nothing = new Uint8Array(0)

/** Listens at `from`, goes on to `to`. */
export function relay(from: { hostname: string; port: number }, to: { hostname: string; port: number }): Relay {
  const open = new Set<Socket<Side>>()
  let whole = true
  let made = 0

  function pass(to: Socket<Side>, bytes: Uint8Array, reader: Socket<Side> | undefined): void {
    const written = to.data.left.length > 0 ? 0 : Math.max(0, to.write(bytes))
    if (written === bytes.length) return
    to.data.left = Buffer.concat([to.data.left, bytes.subarray(written)])
    reader?.pause()
  }
  const socket = {
    data: (one: Socket<Side>, bytes: Uint8Array) => {
      if (one.data.other !== undefined) pass(one.data.other, bytes, one)
    },
    drain(one: Socket<Side>) {
      const { left } = one.data
      one.data.left = nothing
      if (left.length > 0) pass(one, left, undefined)
      if (one.data.left.length === 0) one.data.other?.resume()
    },
    close(one: Socket<Side>) {
      open.delete(one)
      one.data.other?.end()
    },
    error() {},
  }
  const listener = Bun.listen<Side>({
    ...from,
    socket: {
      ...socket,
      async open(one) {
        one.data = { other: undefined, left: nothing }
        if (!whole) return void one.terminate()
        open.add(one)
        made++
        one.pause()
        try {
          const other = await Bun.connect<Side>({ ...to, data: { other: one, left: nothing }, socket })
          open.add(other)
          one.data.other = other
          one.resume()
          if (!whole) other.terminate()
        } catch {
          one.terminate()
        }
      },
    },
  })
  const cut = () => {
    whole = false
    for (const one of open) one.terminate()
  }
  return {
    cut,
    mend: () => (whole = true),
    made: () => made,
    close() {
      cut()
      listener.stop(true)
    },
  }
}
