// How a media worker is seen: its card follows its state and load, and what was opened is closed again when a later step fails.
import { expect, test } from 'bun:test'
import type { Discovery } from '../../../src/discovery/discovery.ts'
import type { DiffusionEngine, DiffusionEvent } from '../../../src/engine/diffusion/diffusion.ts'
import type { MediaMaker } from '../../../src/pipeline/media/media.ts'
import type { MediaCard } from '../../../src/pipeline/media/remote/card.ts'
import { encodeHead, operations } from '../../../src/pipeline/media/remote/protocol.ts'
import type { Planes } from '../../../src/serve/fleet/planes.ts'
import { hostMedia } from '../../../src/serve/worker/host-media.ts'
import type { IncomingStream, PlaneService } from '../../../src/transport/request-plane.ts'
import { until } from '../../helpers/run-request.ts'

async function world({ announces = true } = {}) {
  const open = new Set<string>()
  const told: MediaCard[] = []
  const listeners = new Set<(event: DiffusionEvent) => void>()
  const state = { ready: true, pending: 0 }
  let service: PlaneService | undefined
  const planes = {
    async serve(given: PlaneService) {
      service = given
      open.add('server')
      return { address: 'tcp://x:2', close: async () => void open.delete('server') }
    },
  } as unknown as Planes
  const discovery = {
    async announce({ kind, body }: { kind: string; body: unknown }) {
      if (!announces) throw new Error('wrong rights')
      open.add(kind)
      told.push(body as MediaCard)
      return { update: async (next: MediaCard) => void told.push(next), withdraw: async () => void open.delete(kind) }
    },
  } as unknown as Discovery
  const done = Promise.withResolvers<void>()
  const maker = {
    ...{ id: 'w1', info: { makes: 'image', replicas: 1 } },
    get ready() {
      return state.ready
    },
    pending: () => state.pending,
    async make() {
      state.pending++
      await done.promise
      state.pending--
      throw new Error('that was all')
    },
  } as unknown as MediaMaker
  const engine = {
    info: { kind: 'mock', pipeline: 'Flux', version: '1', modelPath: '/m' },
    on(listener: (event: DiffusionEvent) => void) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  } as unknown as DiffusionEngine
  const hosting = hostMedia(
    { maker, engine, names: ['m'], endpoint: 'dyn://a.b.c', namespace: 'a', draining: () => false },
    planes,
    discovery,
  )
  const becomes = (ready: boolean) => {
    state.ready = ready
    for (const listener of listeners) listener({ kind: 'state', ready, reason: 'x' } as DiffusionEvent)
  }
  return { open, told, hosting, becomes, done, send: (head: Uint8Array, stream: IncomingStream) => service!(head, stream) }
}

const stream = (): IncomingStream => ({ signal: new AbortController().signal, send() {}, end() {}, fail() {} })
const request = { requestId: 'r', kind: 'image', prompt: '', outputs: 1, images: [], format: { type: 'png' }, partials: 0, extra: {} }

test('its card says what it is, and follows its ups and downs until it is withdrawn', async () => {
  const { open, told, hosting, becomes } = await world()
  const hosted = await hosting
  expect([...open]).toEqual(['server', 'media-worker'])
  const engine = { kind: 'mock', level: 'Flux', version: '1', model: '/m' }
  expect(told[0]).toMatchObject({ id: 'w1', address: 'tcp://x:2', names: ['m'], ready: true, pending: 0, engine })
  becomes(false)
  becomes(true)
  await hosted.withdraw()
  becomes(false)
  expect(told.map(({ ready }) => ready)).toEqual([true, false, true])
  expect([...open]).toEqual(['server'])
  await hosted.close()
  expect([...open]).toEqual([])
})

test('jobs are told as its load, and are open until their end', async () => {
  const { told, hosting, done, send } = await world()
  const hosted = await hosting
  send(encodeHead(operations.make, { job: 'j', request, wants: [] }), stream())
  expect(hosted.open()).toBe(1)
  await until('the load is told', () => told.at(-1)!.pending === 1)
  done.resolve()
  await until('it is over', () => hosted.open() === 0)
  await until('that is told too', () => told.at(-1)!.pending === 0)
  expect(told).toHaveLength(3)
  await hosted.close()
})

test('a worker that cannot be announced leaves nothing behind', async () => {
  const { open, hosting } = await world({ announces: false })
  expect((await hosting.catch((error) => error)).message).toBe('wrong rights')
  expect([...open]).toEqual([])
})
