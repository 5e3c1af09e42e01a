import { expect, test } from 'bun:test'
import type { NetworkInterfaceInfo } from 'node:os'
import { firstAddress, planeOptions } from '../../../src/cli/deployment/plane-options.ts'
import { parseSettings } from '../../../src/cli/settings/parse-settings.ts'

const card = (address: string, family: 'IPv4' | 'IPv6', internal = false) => ({ address, family, internal }) as NetworkInterfaceInfo
const machine = {
  lo: [card('127.0.0.1', 'IPv4', true)],
  eth0: [card('fe80::1', 'IPv6'), card('fd00::9', 'IPv6'), card('10.0.0.9', 'IPv4')],
}
const options = (line: string, env: Record<string, string> = {}) =>
  planeOptions(parseSettings(line.split(' ').filter(Boolean), env, 'worker'), machine)

test('on one machine nothing is open to others', () => {
  expect(options('')).toEqual({
    request: 'tcp',
    events: 'zmq',
    tcp: { bind: '127.0.0.1', host: '127.0.0.1', port: 0, secret: undefined },
    zmq: { bind: '127.0.0.1', host: '127.0.0.1', port: 0 },
    nats: undefined,
  })
})

test('over a service the machine tells its own address', () => {
  expect(options('--discovery-backend etcd --tcp-rpc-port 9000').tcp).toMatchObject({ bind: '10.0.0.9', host: '10.0.0.9', port: 9000 })
  expect(firstAddress({ lo: machine.lo, eth1: [card('fd00::9', 'IPv6')] })).toBe('fd00::9')
  expect(firstAddress({ lo: machine.lo })).toBe('127.0.0.1')
})

test('a host that this machine does not have itself is only told', () => {
  const env = { DYN_TCP_RPC_HOST: 'worker-0.workers', DYN_EVENT_PLANE_HOST: '10.0.0.9', DYN_PLANE_SECRET: 's' }
  const { tcp, zmq } = options('', env)
  expect(tcp).toEqual({ bind: '0.0.0.0', host: 'worker-0.workers', port: 0, secret: 's' })
  expect(zmq).toMatchObject({ bind: '10.0.0.9', host: '10.0.0.9' })
  expect(options('--plane-bind 10.0.0.9', env).tcp.bind).toBe('10.0.0.9')
})

test('NATS is named once for both planes', () => {
  expect(options('--event-plane nats --nats-server nats://n:1')).toMatchObject({
    request: 'tcp',
    events: 'nats',
    nats: { servers: ['nats://n:1'] },
  })
})
