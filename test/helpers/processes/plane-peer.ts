// The other process of the plane tests. `worker tcp|nats://…`: answers heads like {"count":10,"bytes":100,"everyMs":1} and prints its address.
// `caller tcp|nats://… ADDRESS HEAD`: opens one stream and prints `got` at its first message.
import { connectNats } from '../../../src/transport/nats/connection.ts'
import type { PlaneService } from '../../../src/transport/request-plane.ts'

/** `count` messages of `bytes`, each begins with its number; all at once, or one each `everyMs`. `busyMs`: from now on each turn of this process takes so long. */
export const counting: PlaneService = (head, stream) => {
  const asked = JSON.parse(new TextDecoder().decode(head)) as { count: number; bytes: number; everyMs?: number; busyMs?: number }
  const { count, bytes, everyMs, busyMs } = asked
  if (busyMs !== undefined)
    setInterval(() => {
      for (const end = performance.now() + busyMs; performance.now() < end; );
    }, 1)
  let sent = 0
  const one = () => {
    const message = new Uint8Array(bytes)
    new DataView(message.buffer).setUint32(0, sent++)
    stream.send(message)
    if (sent < count) return
    stream.end()
    clearInterval(timer)
  }
  const timer = setInterval(() => everyMs !== undefined && one(), everyMs ?? 1000)
  stream.signal.addEventListener('abort', () => {
    clearInterval(timer)
    stream.end()
  })
  if (everyMs === undefined) while (sent < count) one()
}

if (import.meta.main) {
  const [role, broker, address, head] = process.argv.slice(2) as [string, string, string?, string?]
  const nats = broker === 'tcp' ? undefined : await connectNats({ servers: [broker] }, role)
  if (role === 'worker') {
    const { tcpServer } = await import('../../../src/transport/tcp/server.ts')
    const { natsServer } = await import('../../../src/transport/nats/server.ts')
    const server = nats === undefined ? tcpServer(counting) : await natsServer(nats, counting)
    console.log(server.address)
  } else {
    const { tcpClient } = await import('../../../src/transport/tcp/client.ts')
    const { natsClient } = await import('../../../src/transport/nats/client.ts')
    const client = nats === undefined ? tcpClient(address!) : natsClient(nats, address!)
    client.onState((up) => {
      if (!up) return
      let got = 0
      const message = () => {
        if (got++ === 0) console.log('got')
      }
      client.open(new TextEncoder().encode(head), { message, end() {}, fail() {} })
    })
  }
}
