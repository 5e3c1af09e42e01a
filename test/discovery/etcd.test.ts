import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { etcdDiscovery } from '../../src/discovery/etcd/discovery.ts'
import { prefixOf } from '../../src/discovery/etcd/place.ts'
import { announceElsewhere, cardOf, listen } from '../helpers/discovery.ts'
import { type Broker, needsEtcd, startEtcd } from '../helpers/processes/broker.ts'
import { eventually } from '../helpers/processes/start.ts'
import { discoverySuite } from '../suites/discovery.suite.ts'

const hasEtcd = needsEtcd()

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

  describe('etcd alone', () => {
    let etcd: Broker
    let endpoints: string[]
    const ask = async (path: string, body: object) => {
      const answer = await fetch(`http://127.0.0.1:${etcd.port}/v3/${path}`, { method: 'POST', body: JSON.stringify(body) })
      return (await answer.json()) as { header: { revision: string } }
    }
    const encoded = (text: string) => Buffer.from(text).toString('base64')
    beforeEach(async () => {
      etcd = await startEtcd()
      endpoints = [`127.0.0.1:${etcd.port}`]
    })
    afterEach(() => etcd.stop())

    test('killed and started again while cards change, its history compacted: the last word of each is there and nobody was gone', async () => {
      const [worker, frontend] = [etcdDiscovery({ endpoints }), etcdDiscovery({ endpoints })]
      const cards = await Promise.all(Array.from({ length: 20 }, (_, i) => worker.announce(cardOf(`c${i}`, { n: 0 }))))
      const heard = await listen(frontend, 'ns')
      let n = 0
      let going = true
      const load = (async () => {
        while (going) {
          n++
          await Promise.all(cards.map((card) => card.update({ n })))
        }
      })()
      for (let i = 0; i < 3; i++) {
        await Bun.sleep(500)
        const { header } = await ask('kv/range', { key: encoded('x') })
        await ask('kv/compaction', { revision: header.revision, physical: true })
        await etcd.kill()
        await Bun.sleep(500)
        await etcd.restart()
      }
      await Bun.sleep(500)
      going = false
      await load
      await eventually(
        'the last word is there',
        () => heard.cards.size === 20 && [...heard.cards.values()].every(({ body }) => body.n === n),
      )
      expect(heard.lines.filter((line) => line.startsWith('gone'))).toEqual([])
      expect(heard.wrong).toEqual([])
      await Promise.all([worker.close(), frontend.close()])
    }, 60_000)

    test('one that stands still ends nobody', async () => {
      const discovery = etcdDiscovery({ endpoints })
      const other = await announceElsewhere({ backend: 'etcd', etcd: { endpoints } }, [cardOf('a')])
      const heard = await listen(discovery, 'ns')
      etcd.signal('SIGSTOP')
      await Bun.sleep(5000)
      etcd.signal('SIGCONT')
      await Bun.sleep(3000)
      expect(heard.lines).toEqual(['added a'])
      other.kill('SIGKILL')
      await eventually('it is gone when it is dead', () => heard.cards.size === 0)
      await discovery.close()
    }, 60_000)

    test('what someone deletes or writes there by hand does no harm', async () => {
      const discovery = etcdDiscovery({ endpoints })
      const heard = await listen(discovery, 'ns')
      await ask('kv/put', { key: encoded(`${prefixOf('ns')}noise`), value: encoded('{') })
      await ask('kv/put', { key: encoded(`${prefixOf('ns')}nobody`), value: encoded(JSON.stringify(cardOf('without-lease'))) })
      const late = await listen(discovery, 'ns')
      await discovery.announce(cardOf('a'))
      await eventually('it is there', () => heard.cards.has('a'))
      await ask('kv/deleterange', { key: encoded(`${prefixOf('ns')}a`) })
      await eventually('it came back', () => late.lines.length === 3)
      expect(late.lines).toEqual(['added a', 'gone a', 'added a'])
      expect([...heard.cards.keys()]).toEqual(['a'])
      await discovery.close()
    }, 60_000)

    test('with users: right ones work, also when their token ran out; wrong ones are refused by name', async () => {
      await ask('auth/user/add', { name: 'root', password: 'secret' })
      await ask('auth/user/grant', { user: 'root', role: 'root' })
      await ask('auth/enable', {})
      const right = etcdDiscovery({ endpoints, user: 'root', password: 'secret' })
      await right.announce(cardOf('a'))
      const heard = await listen(right, 'ns')
      await etcd.kill()
      await etcd.restart()
      await right.announce(cardOf('b'))
      await eventually('both are there', () => heard.cards.size === 2)
      const nobody = etcdDiscovery({ endpoints })
      expect(nobody.announce(cardOf('d'))).rejects.toThrow('ETCD_AUTH_USERNAME')
      await nobody.close()
      const wrong = etcdDiscovery({ endpoints, user: 'root', password: 'no' })
      expect(wrong.announce(cardOf('c'))).rejects.toThrow("does not accept user 'root'")
      expect(wrong.watch('ns', () => {})).rejects.toThrow(endpoints[0]!)
      expect(heard.lines).toEqual(['added a', 'added b'])
      await Promise.all([right.close(), wrong.close()])
    }, 60_000)

    test('of several endpoints one that answers is enough', async () => {
      const discovery = etcdDiscovery({ endpoints: ['127.0.0.1:1', ...endpoints] })
      await discovery.announce(cardOf('a'))
      expect((await listen(discovery, 'ns')).lines).toEqual(['added a'])
      await discovery.close()
    })
  })
}

test('no endpoint is refused by name', () => {
  expect(() => etcdDiscovery({ endpoints: [] })).toThrow('ETCD_ENDPOINTS')
})
