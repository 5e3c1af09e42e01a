// Connections that never finish their head cost nothing for long: Bun ends them after 12 s, also when they drip.
import { expect, test } from 'bun:test'
import { connect } from 'node:net'
import { startHttp } from '../../../src/serve/http/http.ts'
import { testApp } from '../../helpers/fakes/app.ts'

test('half-open, half a head, and a head that drips', async () => {
  const server = startHttp({ app: testApp(), host: '127.0.0.1', port: 0 })
  const closed = (first: string, drip: string) =>
    new Promise<void>((resolve) => {
      const socket = connect(server.port, '127.0.0.1', () => socket.write(first))
      const timer = setInterval(() => drip !== '' && socket.write(drip), 1000)
      socket.on('error', () => {})
      socket.on('close', () => {
        clearInterval(timer)
        resolve()
      })
    })
  const head = 'POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n'
  await Promise.all([closed('', ''), closed(head, ''), closed(head, 'x-a: b\r\n')])
  expect((await fetch(`${server.url}/live`)).status).toBe(200)
  await server.stop(true)
}, 30_000)
