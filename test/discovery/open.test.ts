import { expect, test } from 'bun:test'
import { openDiscovery } from '../../src/discovery/open.ts'
import type { DiscoveryOptions } from '../../src/discovery/options.ts'
import { cardOf, listen } from '../helpers/discovery.ts'

test('mem is static: the cards of this process', async () => {
  const discovery = await openDiscovery({ backend: 'mem' })
  await discovery.announce(cardOf('a'))
  expect((await listen(discovery, 'ns')).lines).toEqual(['added a'])
  await discovery.close()
})

test('static with addresses asks the workers', async () => {
  const discovery = await openDiscovery({
    backend: 'static',
    workers: { addresses: ['h:1'], fetchCard: async (address) => cardOf(address) },
  })
  expect((await listen(discovery, 'ns')).lines).toEqual(['added h:1'])
  await discovery.close()
})

const refusals: [DiscoveryOptions, string][] = [
  [{ backend: 'file' }, 'DYN_FILE_KV'],
  [{ backend: 'etcd' }, 'ETCD_ENDPOINTS'],
  [{ backend: 'etcd', etcd: { endpoints: ['h'], tls: { caFile: '/nowhere/ca.pem' } } }, '/nowhere/ca.pem'],
  [{ backend: 'nats' }, 'NATS_SERVER'],
  [{ backend: 'nats', nats: { servers: [] } }, 'NATS_SERVER'],
  [{ backend: 'kubernetes' }, 'pod'],
  [{ backend: 'zookeeper' } as unknown as DiscoveryOptions, 'static, mem, file, etcd, nats, kubernetes'],
]
for (const [options, said] of refusals) {
  test(`${JSON.stringify(options)} is refused: ${said}`, () => {
    expect(openDiscovery(options)).rejects.toThrow(said)
  })
}
