// Frontends and workers over real brokers, which are killed and come back while streams run.
import { afterEach, describe, expect, test } from 'bun:test'
import { type Broker, needsEtcd, needsNats, startEtcd, startNats } from '../helpers/processes/broker.ts'
import { chat, type Fleet, startFleet, streamChat } from '../helpers/processes/fleet.ts'
import { until } from '../helpers/run-request.ts'

const hasEtcd = needsEtcd()
const hasNats = needsNats()
const ending: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end()
}, 60_000)

function fleetOn(env: Record<string, string>): Fleet {
  const fleet = startFleet({ DYN_TCP_RPC_HOST: '127.0.0.1', ...env })
  ending.push(() => fleet.stop())
  return fleet
}
async function kept(broker: Promise<Broker>): Promise<Broker> {
  const made = await broker
  ending.push(() => made.stop())
  return made
}
const answers = (url: string) => until('an answer', async () => (await chat(url, 'Hello')).ok, 30_000)
const allOver = ({ port }: Broker) => ({
  DYN_DISCOVERY_BACKEND: 'nats',
  DYN_REQUEST_PLANE: 'nats',
  DYN_EVENT_PLANE: 'nats',
  NATS_SERVER: `nats://127.0.0.1:${port}`,
})
const slow = ['--speedup-ratio', '1']
const story = { maxTokens: 150 }

describe.if(hasEtcd)('etcd as discovery', () => {
  test('an outage changes nothing: streams go on, requests are answered, a new worker is found afterwards', async () => {
    const etcd = await kept(startEtcd())
    const fleet = fleetOn({ DYN_DISCOVERY_BACKEND: 'etcd', ETCD_ENDPOINTS: `http://127.0.0.1:${etcd.port}` })
    const [{ url }, first] = await Promise.all([fleet.frontend(), fleet.worker(slow)])
    await answers(url)
    const calm = await streamChat(url, 'A story.', story)
    let outage: Promise<void> | undefined
    const text = await streamChat(url, 'A story.', story, (chunks) => {
      if (chunks === 20) outage = etcd.kill()
    })
    await outage
    expect(text).toBe(calm)
    expect((await chat(url, 'Are you there?')).headers.get('x-worker-id')).toBe(first.id)
    await etcd.restart()
    const second = await fleet.worker(slow)
    const pinned = { headers: { 'x-dynamo-worker-instance-id': second.id } }
    await until('the second worker is found', async () => (await chat(url, 'You?', pinned)).ok, 30_000)
    await first.kill()
    await until('the first one is gone', async () => (await chat(url, 'And you?')).headers.get('x-worker-id') === second.id)
  }, 120_000)
})

describe.if(hasNats)('NATS as discovery and as both planes', () => {
  test('the broker is killed in mid-stream: the answer is whole, the fleet comes back by itself', async () => {
    const nats = await kept(startNats())
    const fleet = fleetOn(allOver(nats))
    const [{ url }] = await Promise.all([fleet.frontend(), fleet.worker(slow), fleet.worker(slow)])
    await answers(url)
    const calm = await streamChat(url, 'A story.', story)
    let outage: Promise<void> | undefined
    const text = await streamChat(url, 'A story.', story, (chunks) => {
      if (chunks === 20) outage = nats.kill().then(() => nats.restart())
    })
    await outage
    expect(text).toBe(calm)
    await answers(url)
  }, 120_000)

  test('a killed worker: its stream goes on elsewhere', async () => {
    const nats = await kept(startNats())
    const fleet = fleetOn(allOver(nats))
    const [{ url }, a, b] = await Promise.all([fleet.frontend(), fleet.worker(slow), fleet.worker(slow)])
    await answers(url)
    const calm = await streamChat(url, 'A story.', story)
    let killed: Promise<void> | undefined
    const text = await streamChat(url, 'A story.', story, (chunks, response) => {
      if (chunks === 20) killed = [a, b].find((one) => one.id === response.headers.get('x-worker-id'))!.kill()
    })
    await killed
    expect(text).toBe(calm)
  }, 120_000)
})
