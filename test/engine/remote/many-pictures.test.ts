// A request whose pictures are more than a frame of the plane holds: 12 of 8 MB go to a worker, and each of them, or a clip of that size, to an encode worker.
import { expect, test } from 'bun:test'
import type { MediaItem } from '../../../src/engine/types.ts'
import { mockEncoder } from '../../../src/engine/vision/mock/encoder.ts'
import { remoteEncoder } from '../../../src/engine/vision/remote/encoder.ts'
import { hostEncoder } from '../../../src/engine/vision/remote/host.ts'
import { tcpClient } from '../../../src/transport/tcp/client.ts'
import { tcpServer } from '../../../src/transport/tcp/server.ts'
import { madeUpPicture } from '../../helpers/media-items.ts'
import { natsPlane } from '../../helpers/nats-plane.ts'
import { requestOf, runRequest, until } from '../../helpers/run-request.ts'
import type { PlaneKind } from '../../suites/plane.suite.ts'
import { startWorld } from './worlds.ts'

const size = 8 * 1024 * 1024

/** A request for 4 tokens about 12 pictures, each of its own bytes. */
function aboutTwelve() {
  const media: MediaItem[] = []
  const ids = [1, 2, 3]
  for (let seed = 1; seed <= 12; seed++) {
    const item = { ...madeUpPicture(`picture ${seed}`), file: new Uint8Array(size).fill(seed), offset: ids.length }
    media.push(item)
    ids.push(...Array(item.tokens).fill(item.placeholder), 4)
  }
  return requestOf(ids, { max_new_tokens: 4 }, { media })
}

function cases(name: string, plane: PlaneKind): void {
  test(`12 pictures of 8 MB in one request, over ${name}`, async () => {
    const world = await startWorld(plane)
    const seen: { sum: number; last: number }[] = []
    const engine = world.mock
    const generate = engine.generate.bind(engine)
    engine.generate = (request, sink, signal) => {
      for (const { file } of request.media ?? []) seen.push({ sum: file.length, last: file.at(-1)! })
      return generate(request, sink, signal)
    }
    try {
      const asked = runRequest(world.remote, aboutTwelve())
      // Text is not held up by them.
      const text = await runRequest(world.remote, requestOf([4, 5, 6], { max_new_tokens: 4 }))
      expect([text.error, seen.length]).toEqual([undefined, 0])
      const ran = await asked
      expect(ran.error).toBeUndefined()
      expect(ran.finish).toMatchObject({ kind: 'length' })
      expect(ran.ids.length).toBe(4)
      expect(seen).toEqual(Array.from({ length: 12 }, (_, i) => ({ sum: size, last: i + 1 })))
    } finally {
      await world.close()
    }
  }, 60_000)

  test(`who leaves while 12 pictures of 8 MB are on their way, over ${name}`, async () => {
    const world = await startWorld(plane)
    try {
      const leaving = new AbortController()
      const asked = runRequest(world.remote, aboutTwelve(), leaving.signal)
      setTimeout(() => leaving.abort(), 5)
      const ran = await asked
      expect(ran.terminals).toBe(1)
      await until('both ends are free', () => world.remote.inFlight() === 0 && world.mock.inFlight() === 0)
      expect((await runRequest(world.remote, requestOf([4, 5, 6], { max_new_tokens: 4 }))).error).toBeUndefined()
    } finally {
      await world.close()
    }
  }, 60_000)

  test(`a clip of 96 MB to an encode worker, over ${name}`, async () => {
    const mock = mockEncoder({ modelPath: 'models/tiny-vl', dim: 16, msPerPicture: 1 })
    await mock.start()
    let got = 0
    const encode = mock.encode.bind(mock)
    mock.encode = (item, signal) => {
      got = (item.frames ?? []).reduce((sum, frame) => sum + frame.length, 0)
      return encode(item, signal)
    }
    const host = hostEncoder(mock)
    const server = await plane.serve(host.service)
    const far = remoteEncoder(plane.connect(server.address))
    try {
      await far.start()
      const clip: MediaItem = { ...madeUpPicture('clip'), kind: 'video', frames: Array.from({ length: 12 }, () => new Uint8Array(size)) }
      expect((await far.encode(clip, new AbortController().signal)).rows).toBe(12)
      expect(got).toBe(12 * size)
    } finally {
      await far.stop()
      host.close()
      await server.close()
      await mock.stop()
    }
  }, 60_000)
}

cases('TCP', { serve: async (service) => tcpServer(service), connect: (address) => tcpClient(address) })

// As it comes: a message is 1 MB at most.
const nats = natsPlane()
if (nats !== undefined) cases('NATS', nats)
