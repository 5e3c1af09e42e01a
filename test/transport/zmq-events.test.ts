// The event plane over ZMQ, each publisher on its own port.
import { afterEach, expect, test } from 'bun:test'
import { zmqEvents } from '../../src/transport/zmq-events.ts'
import { until } from '../helpers/run-request.ts'
import { eventPlaneSuite } from '../suites/event-plane.suite.ts'

const closing: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of closing.splice(0)) await one.close()
})

eventPlaneSuite('zmq', async () => zmqEvents({ host: '127.0.0.1' }))

test('the address is one that others reach, never the wildcard', async () => {
  const plane = zmqEvents({ host: '0.0.0.0' })
  closing.push(plane)
  const { address } = await plane.publisher('any')
  expect(address).toMatch(/^zmq:\/\/[^:]+:\d+$/)
  expect(address).not.toContain('0.0.0.0')
})

test('a publisher that comes back on its port is heard again, and the listener is told', async () => {
  const first = zmqEvents({ host: '127.0.0.1' })
  const publisher = await first.publisher('worker')
  const listening = zmqEvents({ host: '127.0.0.1' })
  closing.push(listening)
  let connections = 0
  const heard: number[] = []
  listening.listen(publisher.address, { message: (bytes) => heard.push(bytes[0]!), connected: () => connections++ })
  await until('connected', () => connections === 1)
  await first.close()
  const second = zmqEvents({ host: '127.0.0.1', port: Number(publisher.address.split(':').at(-1)) })
  closing.push(second)
  const again = await second.publisher('worker')
  expect(again.address).toBe(publisher.address)
  await until('told of the new connection', () => connections === 2)
  await until('it hears', () => {
    again.publish(Uint8Array.of(7))
    return heard.includes(7)
  })
})

test('a port that is taken is named', async () => {
  const first = zmqEvents({ host: '127.0.0.1' })
  closing.push(first)
  const { address } = await first.publisher('one')
  const port = address.split(':').at(-1)
  const second = zmqEvents({ host: '127.0.0.1', port: Number(port) })
  closing.push(second)
  await expect(second.publisher('two')).rejects.toMatchObject({
    code: 'port_in_use',
    message: expect.stringContaining(`127.0.0.1:${port}`),
  })
})
