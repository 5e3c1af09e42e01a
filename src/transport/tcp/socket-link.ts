// A Bun socket as the ordered bytes under a Channel.
import type { ByteLink } from '../plane/channel.ts'

export function socketLink(socket: Bun.Socket<unknown>): ByteLink {
  return {
    write: (bytes) => socket.write(bytes),
    end: () => void socket.end(),
    terminate: () => void socket.terminate(),
  }
}
