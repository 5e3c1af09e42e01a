import { expect, test } from 'bun:test'
import { fetchKv } from '../../../../src/engine/mock/disagg/kv-fetch.ts'
import { PrefillRooms } from '../../../../src/engine/mock/disagg/prefill-rooms.ts'

test('a decode leg that asks late hears of the failure, however many failed before it', async () => {
  const rooms = new PrefillRooms<string>({ sent() {}, failed() {} }, 60_000)
  const port = rooms.listen('127.0.0.1')
  for (let room = 1; room <= 3000; room++) {
    rooms.announce(room, 'prompt')
    rooms.forget(room, 'the client left')
  }
  const fetched = await new Promise((resolve) => fetchKv({ host: '127.0.0.1', port, room: 3000 }, resolve))
  expect(fetched).toMatchObject({ kind: 'failed', why: 'the prefill leg ended' })
  rooms.close()
})
