// The decode side of the mock: asks a prefill engine's bootstrap server for one prompt's KV, and knows at once when that engine dies.
import type { Socket } from 'bun'
import type { Bootstrap } from '../../types.ts'
import { lineOf, wantLine } from './wire.ts'

export type Fetched = { kind: 'sent'; cachedTokens: number } | { kind: 'failed'; why: string }

/** Tells `done` once how it went. The returned function gives up: the prefill side hears of it, `done` hears nothing. */
export function fetchKv(bootstrap: Bootstrap, done: (fetched: Fetched) => void): () => void {
  let over = false
  let text = ''
  let connected: Socket<undefined> | undefined
  const settle = (fetched: Fetched) => {
    if (over) return
    over = true
    connected?.terminate()
    done(fetched)
  }
  const lost = () => settle({ kind: 'failed', why: 'the connection to the prefill engine is lost' })
  Bun.connect<undefined>({
    hostname: bootstrap.host,
    port: bootstrap.port,
    socket: {
      open(socket) {
        connected = socket
        if (over) socket.terminate()
        else socket.write(wantLine(bootstrap.room))
      },
      data(_socket, chunk) {
        try {
          const { line, rest } = lineOf(text, chunk)
          text = rest
          if (line === undefined) return
          const at = line.indexOf(' ')
          const value = line.slice(at + 1)
          settle(line.slice(0, at) === 'sent' ? { kind: 'sent', cachedTokens: Number(value) } : { kind: 'failed', why: value })
        } catch (thrown) {
          settle({ kind: 'failed', why: `the prefill engine sent ${(thrown as Error).message}` })
        }
      },
      close: lost,
      error: lost,
      connectError: lost,
    },
  }).catch(lost)
  return () => {
    over = true
    connected?.terminate()
  }
}
