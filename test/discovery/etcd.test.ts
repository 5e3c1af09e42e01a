import { expect, test } from 'bun:test'
import { etcdDiscovery } from '../../src/discovery/etcd/discovery.ts'
import { programPath, startEtcd } from '../helpers/broker.ts'
import { need } from '../helpers/need.ts'
import { discoverySuite } from '../suites/discovery.suite.ts'

const hasEtcd = need('etcd (Debian package etcd-server)', programPath('etcd') !== null)

if (hasEtcd) {
  discoverySuite('etcd', async () => {
    const etcd = await startEtcd()
    const endpoints = [`127.0.0.1:${etcd.port}`]
    return {
      open: async () => etcdDiscovery({ endpoints }),
      options: { backend: 'etcd', etcd: { endpoints } },
      outage: { begin: etcd.kill, lose: async () => etcd.wipe(), end: etcd.restart },
      stop: etcd.stop,
    }
  })
}

test('no endpoint is refused by name', () => {
  expect(() => etcdDiscovery({ endpoints: [] })).toThrow('ETCD_ENDPOINTS')
})
