// 200 requests at once while encoders are killed, restarted and hang: every rank gets every request's own rows.
import { expect, test } from 'bun:test'
import { cachedEncoder, EmbeddingCache } from '../../../../src/engine/vision/cache.ts'
import { itemHash } from '../../../../src/engine/vision/embeddings.ts'
import { startGateway } from '../../../../src/engine/vision/gateway/gateway.ts'
import { mockEncoder } from '../../../../src/engine/vision/mock/encoder.ts'
import { visionPool } from '../../../../src/engine/vision/pool/pool.ts'
import { languageServer } from '../../../helpers/language-server.ts'
import { madeUpPicture } from '../../../helpers/media-items.ts'
import { namedReader, nameOf } from '../../../helpers/named-pictures.ts'

const never = new AbortController().signal
const options = { modelPath: 'models/tiny-vl', dim: 64, msPerPicture: 4 }

test('none is lost, none is answered without its picture', async () => {
  const pool = visionPool({ patience: { graceMs: 150 } })
  const encoders = ['restart=40', 'restart=60', 'restart=80'].map((failure) => mockEncoder({ ...options, failure }))
  for (const [i, encoder] of encoders.entries()) pool.add(`e${i}`, encoder)
  const cache = new EmbeddingCache(1e7)
  const encoder = cachedEncoder(pool, cache)
  await encoder.start()
  const server = languageServer(2)
  const alone = mockEncoder(options)
  await alone.start()
  // Every third picture is one that was there before.
  const pictures = Array.from({ length: 200 }, (_, i) => {
    const which = i % 3 === 0 ? i % 9 : i
    return madeUpPicture(`picture ${which}`, 2 + (which % 4), 3 + (which % 5))
  })
  const gateway = startGateway({ encoder, hostname: '127.0.0.1', port: 0, read: namedReader(pictures) })
  const expected = new Map<string, bigint>()
  for (const [i, picture] of pictures.entries()) expected.set(`r${i}_local_part_0`, (await alone.encode(picture, never)).itemHash)

  let blows = 0
  const trouble = setInterval(() => {
    encoders[blows % 3]!.die()
    if (blows === 5) encoders[1]!.hang()
    if (blows === 12) encoders[1]!.revive()
    blows++
  }, 35)
  const answers = await Promise.all(
    pictures.map(async (picture, i) => {
      const reqId = `r${i}_local_part_0`
      const [{ status }] = await Promise.all([
        server.encode(gateway.url, { req_id: reqId, mm_items: [nameOf(picture)] }),
        server.tellReceivers(gateway.url, reqId),
      ])
      return status
    }),
  )
  clearInterval(trouble)
  expect(answers).toEqual(pictures.map(() => 200))
  for (const rank of [0, 1]) {
    while (server.received(rank).length < 200) await Bun.sleep(1)
    const got = new Map(server.received(rank).map(({ fields, rows }) => [fields.req_id as string, itemHash(rows!)]))
    expect(got).toEqual(expected)
  }
  expect(blows).toBeGreaterThan(5)
  expect([gateway.running, pool.patchesInFlight()]).toEqual([0, 0])
  await gateway.close()
  await encoder.stop()
  server.close()
}, 30_000)
