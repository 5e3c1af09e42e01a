// What every event plane promises, run on each of them.
import { afterEach, describe, expect, test } from 'bun:test'
import type { EventPlane, EventPublisher } from '../../src/transport/event-plane.ts'
import { until } from '../helpers/run-request.ts'

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
const bytes = (words: string) => new TextEncoder().encode(words)

/** Said until a listener hears it; no part of what it heard. */
const greeting = 'hello?'

/** `open` makes the plane of one process; two processes that meet get two of them. `cut` breaks every connection, which then come back. */
export function eventPlaneSuite(name: string, open: () => Promise<EventPlane>, cut?: () => Promise<void>): void {
  describe(name, () => {
    const planes: EventPlane[] = []
    const plane = async () => {
      const made = await open()
      planes.push(made)
      return made
    }
    afterEach(async () => {
      for (const made of planes.splice(0)) await made.close()
    })

    /** Listens, once it is known that messages arrive. */
    async function heardBy(listener: EventPlane, publisher: EventPublisher) {
      const heard: string[] = []
      let times = 0
      let greeted = false
      const listening = listener.listen(publisher.address, {
        message(message) {
          if (text(message) === greeting) greeted = true
          else heard.push(text(message))
        },
        connected: () => times++,
      })
      await until('the listener hears', () => {
        if (!greeted) publisher.publish(bytes(greeting))
        return greeted
      })
      return { heard, listening, connections: () => times }
    }

    test('messages arrive whole and in order, at every listener', async () => {
      const publisher = await (await plane()).publisher('worker-1')
      const listeners = [await heardBy(await plane(), publisher), await heardBy(await plane(), publisher)]
      for (let i = 0; i < 500; i++) publisher.publish(bytes(`${i} ${'x'.repeat(i)}`))
      for (const { heard } of listeners) {
        await until('all of them', () => heard.length === 500)
        expect(heard).toEqual(Array.from({ length: 500 }, (_, i) => `${i} ${'x'.repeat(i)}`))
      }
    })

    test('a message may be large', async () => {
      const publisher = await (await plane()).publisher('worker-1')
      const { heard } = await heardBy(await plane(), publisher)
      publisher.publish(bytes('y'.repeat(500_000)))
      await until('it is there', () => heard.length === 1)
      expect(heard[0]!.length).toBe(500_000)
    })

    test('publishers of one name are apart', async () => {
      const one = await plane()
      const [first, second] = [await one.publisher('same'), await one.publisher('same')]
      const { heard } = await heardBy(await plane(), first)
      second.publish(bytes('other'))
      first.publish(bytes('mine'))
      await until('a message', () => heard.length > 0)
      expect(heard).toEqual(['mine'])
    })

    test('nobody listens: publishing does nothing, and costs nobody anything', async () => {
      const publisher = await (await plane()).publisher('worker-1')
      for (let i = 0; i < 1000; i++) publisher.publish(bytes('nobody'))
      const { heard } = await heardBy(await plane(), publisher)
      expect(heard).toEqual([])
    })

    test('the bytes may be used again once they were published', async () => {
      const publisher = await (await plane()).publisher('worker-1')
      const { heard } = await heardBy(await plane(), publisher)
      const message = bytes('first ')
      publisher.publish(message)
      message.set(bytes('second'))
      publisher.publish(message)
      await until('both', () => heard.length === 2)
      expect(heard).toEqual(['first ', 'second'])
    })

    test('a closed listener hears nothing more, the others do', async () => {
      const publisher = await (await plane()).publisher('worker-1')
      const side = await plane()
      const [gone, stays] = [await heardBy(side, publisher), await heardBy(side, publisher)]
      gone.listening.close()
      publisher.publish(bytes('later'))
      await until('the other one hears', () => stays.heard.includes('later'))
      expect(gone.heard).toEqual([])
    })

    if (cut === undefined) return
    test('after a broken connection it hears again, and is told', async () => {
      const publisher = await (await plane()).publisher('worker-1')
      const { heard, connections } = await heardBy(await plane(), publisher)
      const before = connections()
      await cut()
      await until('it is told', () => connections() > before)
      await until('it hears', () => {
        publisher.publish(bytes('again'))
        return heard.includes('again')
      })
    }, 20_000)
  })
}
