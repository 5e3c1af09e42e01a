import { expect, test } from 'bun:test'
import { natsDiscovery } from '../../src/discovery/nats/discovery.ts'
import { announceElsewhere, cardOf, listen } from '../helpers/discovery.ts'
import { needsNats, startNats } from '../helpers/processes/broker.ts'
import { eventually } from '../helpers/processes/start.ts'
import { discoverySuite } from '../suites/discovery.suite.ts'

const hasNats = needsNats()

if (hasNats) {
  discoverySuite('nats', async () => {
    const nats = await startNats()
    const servers = [`nats://127.0.0.1:${nats.port}`]
    return {
      open: async () => natsDiscovery({ servers }),
      options: { backend: 'nats', nats: { servers } },
      // Nothing is kept at the server: each return is one without data.
      outage: { begin: nats.kill, lose: async () => {}, end: nats.restart },
      stop: nats.stop,
    }
  })

  test('a server that stands still ends nobody', async () => {
    const nats = await startNats()
    const servers = [`127.0.0.1:${nats.port}`]
    const discovery = natsDiscovery({ servers })
    const other = await announceElsewhere({ backend: 'nats', nats: { servers } }, [cardOf('a')])
    const heard = await listen(discovery, 'ns')
    nats.signal('SIGSTOP')
    await Bun.sleep(5000)
    nats.signal('SIGCONT')
    await Bun.sleep(3000)
    expect(heard.lines).toEqual(['added a'])
    other.kill('SIGKILL')
    await eventually('it is gone when it is dead', () => heard.cards.size === 0)
    await discovery.close()
    await nats.stop()
  }, 60_000)

  test('a card that the server would refuse is refused by name', async () => {
    const nats = await startNats()
    const discovery = natsDiscovery({ servers: [`127.0.0.1:${nats.port}`] })
    expect(discovery.announce(cardOf('big', { text: 'x'.repeat(2_000_000) }))).rejects.toThrow('max_payload')
    await discovery.announce(cardOf('small'))
    await discovery.close()
    await nats.stop()
  })

  test('wrong credentials are an error that names the server, right ones work', async () => {
    const nats = await startNats(['--user', 'u', '--pass', 'p'])
    const servers = [`127.0.0.1:${nats.port}`]
    const wrong = natsDiscovery({ servers, user: 'u', password: 'no' })
    expect(wrong.announce(cardOf('a'))).rejects.toThrow(servers[0]!)
    expect(wrong.watch('ns', () => {})).rejects.toThrow('credentials')
    const right = natsDiscovery({ servers, user: 'u', password: 'p' })
    await right.announce(cardOf('a'))
    expect((await listen(right, 'ns')).lines).toEqual(['added a'])
    await Promise.all([right.close(), wrong.close()])
    await nats.stop()
  })
}

test('close does not wait for a server that never was', async () => {
  const discovery = natsDiscovery({ servers: ['127.0.0.1:1'] })
  const announced = discovery.announce(cardOf('a')).catch((error: Error) => error.message)
  const watching = discovery.watch('ns', () => {}).catch((error: Error) => error.message)
  await discovery.close()
  expect(await announced).toContain('withdrawn')
  expect(await watching).toContain('127.0.0.1:1')
})
