// Counts what others are asking a worker for: what its end waits for.
import type { PlaneService } from '../../transport/request-plane.ts'

export interface OpenStreams {
  /** Tells whether a stream with this head counts. Default: each does. */
  counts?(head: Uint8Array): boolean
  /** One came or went. */
  changed?(): void
}

/** The same service, its streams counted from their opening until it has ended or failed them. */
export function countOpen(
  service: PlaneService,
  { counts = () => true, changed = () => {} }: OpenStreams = {},
): { service: PlaneService; open(): number } {
  let open = 0
  return {
    open: () => open,
    service(head, stream) {
      if (!counts(head)) return service(head, stream)
      let over = false
      const end = () => {
        if (over) return
        over = true
        open--
        changed()
      }
      open++
      changed()
      service(head, {
        // Made by the stream only when somebody looks.
        get signal() {
          return stream.signal
        },
        send: (message) => stream.send(message),
        end() {
          end()
          stream.end()
        },
        fail(error) {
          end()
          stream.fail(error)
        },
      })
    },
  }
}
