import { afterEach, beforeEach, expect, test } from 'bun:test'
import { kubernetesDiscovery } from '../../src/discovery/kubernetes/discovery.ts'
import { leaseName, selectorOf } from '../../src/discovery/kubernetes/lease.ts'
import { kubernetesManifest } from '../../src/discovery/kubernetes/manifest.ts'
import { cardOf, listen } from '../helpers/discovery.ts'
import { FakeKubernetes } from '../helpers/fakes/fake-kubernetes.ts'
import { eventually } from '../helpers/processes/start.ts'
import { discoverySuite } from '../suites/discovery.suite.ts'

discoverySuite('kubernetes', async () => {
  const server = new FakeKubernetes()
  return {
    open: async () => kubernetesDiscovery(server.options),
    options: { backend: 'kubernetes', kubernetes: server.options },
    outage: { begin: () => server.stop(), lose: async () => server.lose(), end: async () => server.start() },
    async stop() {
      await server.stop()
      server.remove()
    },
  }
})

let server: FakeKubernetes
beforeEach(() => {
  server = new FakeKubernetes()
})
afterEach(async () => {
  await server.stop()
  server.remove()
})

test('a watch that ends, breaks or is too old goes on without a change told twice or lost', async () => {
  const discovery = kubernetesDiscovery(server.options)
  const card = await discovery.announce(cardOf('a', { n: 0 }))
  const heard = await listen(discovery, 'ns')
  for (const [n, trouble] of [
    [1, () => server.dropWatchers()],
    [2, () => server.dropWatchers('error-410')],
    [3, () => server.compact()],
    [
      4,
      () => {
        server.compact()
        server.dropWatchers()
      },
    ],
  ] as const) {
    trouble()
    await card.update({ n })
    await eventually(`update ${n} is told`, () => heard.cards.get('a')?.body.n === n)
  }
  expect(heard.lines).toEqual(['added a', ...Array(4).fill('changed a')])
  expect(heard.wrong).toEqual([])
  await discovery.close()
})

test('a watch that stands still ends nobody and is opened again', async () => {
  const discovery = kubernetesDiscovery(server.options)
  await discovery.announce(cardOf('a'))
  const heard = await listen(discovery, 'ns')
  const watches = server.counts.WATCH!
  server.mute(true)
  await eventually('it watches again', () => server.counts.WATCH! > watches)
  server.mute(false)
  expect(heard.lines).toEqual(['added a'])
  await discovery.close()
})

test('a server that asks once to wait is not asked in between, and nobody is gone for it', async () => {
  const discovery = kubernetesDiscovery(server.options)
  await discovery.announce(cardOf('a'))
  const heard = await listen(discovery, 'ns')
  server.refuse(1)
  const before = server.counts.PATCH!
  await eventually('its beats come again', () => server.counts.PATCH! > before + 4)
  expect(heard.lines).toEqual(['added a'])
  await discovery.close()
})

test('a replaced token is read again', async () => {
  const discovery = kubernetesDiscovery(server.options)
  const heard = await listen(discovery, 'ns')
  await discovery.announce(cardOf('a'))
  server.newToken('second')
  await discovery.announce(cardOf('b'))
  await eventually('both are there', () => heard.cards.size === 2)
  await Bun.sleep(2000)
  expect(heard.lines).toEqual(['added a', 'added b'])
  await discovery.close()
})

test('a Lease that is deleted under a living process comes back; one that holds no card is skipped', async () => {
  const discovery = kubernetesDiscovery(server.options)
  const heard = await listen(discovery, 'ns')
  const [key, value] = selectorOf('ns').split('=') as [string, string]
  server.put('garbage', { [key]: value }, { 'dynamo-sglang/card': '{' }, '2026-01-01T00:00:00.000000Z')
  await discovery.announce(cardOf('a'))
  await eventually('it is there', () => heard.cards.has('a'))
  const client = server.options
  await fetch(`${client.apiServer}/apis/coordination.k8s.io/v1/namespaces/pods/leases/${leaseName(cardOf('a'))}`, {
    method: 'DELETE',
    headers: { authorization: 'Bearer first' },
    body: '{}',
  })
  await eventually('it came back', () => heard.lines.length === 3)
  expect(heard.lines).toEqual(['added a', 'gone a', 'added a'])
  await discovery.close()
})

test('what a dead process left is not told', async () => {
  const [key, value] = selectorOf('ns').split('=') as [string, string]
  server.put('old', { [key]: value }, { 'dynamo-sglang/card': JSON.stringify(cardOf('dead')) }, '2026-01-01T00:00:00.000000Z')
  const discovery = kubernetesDiscovery(server.options)
  expect((await listen(discovery, 'ns')).lines).toEqual([])
  await discovery.close()
})

test('the Lease belongs to the pod, and is deleted with the withdrawal', async () => {
  const discovery = kubernetesDiscovery(server.options)
  const card = await discovery.announce(cardOf('a'))
  expect(server.lease(leaseName(cardOf('a')))).toMatchObject({
    metadata: { ownerReferences: [{ kind: 'Pod', name: 'pod-1', uid: 'uid-1' }] },
  })
  await card.withdraw()
  expect(server.names()).toEqual([])
  await discovery.close()
})

test('a card beyond what Kubernetes takes is refused by name; a missing service account too', async () => {
  const discovery = kubernetesDiscovery(server.options)
  expect(discovery.announce(cardOf('big', { text: 'x'.repeat(300_000) }))).rejects.toThrow('300')
  expect(() => kubernetesDiscovery({ ...server.options, serviceAccountFolder: '/nowhere' })).toThrow('/nowhere')
  await discovery.close()
})

test('a service account without rights is told what it needs', async () => {
  const discovery = kubernetesDiscovery({ ...server.options, podNamespace: 'of-others' })
  expect(discovery.announce(cardOf('a'))).rejects.toThrow('get, list, watch, create, patch and delete on leases')
  expect(discovery.watch('ns', () => {})).rejects.toThrow('403')
  await discovery.close()
})

test('the manifest gives the rights that are used, and no more', () => {
  const role = kubernetesManifest('team', 'me')
    .split('---')
    .find((part) => part.includes('kind: Role\n'))
  expect(role).toContain('resources: [leases]')
  expect(role).toContain('verbs: [get, list, watch, create, patch, delete]')
})
