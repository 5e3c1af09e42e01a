// The promises of engine/vision/vision.ts, held by every encoder. A new one gets its tests by one call.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { MediaItem } from '../../src/engine/types.ts'
import { bytesPerValue, checkEmbeddings, itemHash, patchesOf } from '../../src/engine/vision/embeddings.ts'
import type { VisionEncoder } from '../../src/engine/vision/vision.ts'

const startMs = 300_000
const caseMs = 60_000
const never = new AbortController().signal

export interface VisionCases {
  /** Pictures that it can encode, of different content; the second is larger than the first. */
  pictures: [MediaItem, MediaItem, ...MediaItem[]]
  /** A file that is no picture, where the encoder decodes files itself; absent: it never looks inside. */
  broken?: MediaItem
  /** It answers at once what it encoded before. */
  remembers?: true
  /** Adds cases on the same running encoder, before it is stopped. */
  more?: (encoder: () => VisionEncoder) => void
}

/** Runs the shared cases on one encoder of `make`. */
export function visionSuite(name: string, make: () => VisionEncoder | Promise<VisionEncoder>, cases: VisionCases): void {
  describe(name, () => {
    let encoder: VisionEncoder
    const states: { ready: boolean; reason: string }[] = []
    const it = (title: string, body: () => Promise<void>) => test(title, body, caseMs)
    const [first, second] = cases.pictures

    beforeAll(async () => {
      encoder = await make()
      encoder.on((state) => states.push(state))
      await encoder.start()
    }, startMs)
    afterAll(async () => {
      await encoder?.stop()
    }, startMs)

    it('start gives the facts and says that it is ready', async () => {
      expect(encoder.ready).toBe(true)
      expect(states.at(-1)).toMatchObject({ ready: true })
      const { info } = encoder
      expect(info.modelPath).not.toBe('')
      expect(info.domain).not.toBe('')
      expect(info.dim).toBeGreaterThan(0)
      expect(Object.keys(bytesPerValue)).toContain(info.type)
    })

    it('an encoder that was not started refuses with engine_unavailable', async () => {
      const cold = await make()
      expect(cold.ready).toBe(false)
      await expect(cold.encode(first, never)).rejects.toMatchObject({ code: 'engine_unavailable' })
      await cold.stop()
    })

    it('a picture becomes one row for each of its placeholders, under its own name', async () => {
      for (const picture of cases.pictures) {
        const result = await encoder.encode(picture, never)
        expect(() => checkEmbeddings(result, picture, encoder.info)).not.toThrow()
        expect(result.itemHash).toBe(itemHash(result.bytes))
      }
      expect(encoder.patchesInFlight()).toBe(0)
    })

    it('the same picture gives the same bytes, another gives others', async () => {
      const [one, again, other] = [
        await encoder.encode(first, never),
        await encoder.encode(first, never),
        await encoder.encode(second, never),
      ]
      expect(Buffer.compare(again.bytes, one.bytes)).toBe(0)
      expect(again.itemHash).toBe(one.itemHash)
      expect(other.itemHash).not.toBe(one.itemHash)
    })

    it('pictures side by side give what they give alone', async () => {
      const alone = []
      for (const picture of cases.pictures) alone.push((await encoder.encode(picture, never)).itemHash)
      const many = [0, 1, 2].flatMap(() => cases.pictures.map((picture) => encoder.encode(picture, never)))
      if (!cases.remembers) expect(encoder.patchesInFlight()).toBeGreaterThanOrEqual(patchesOf(first))
      const together = (await Promise.all(many)).map((result) => result.itemHash)
      expect(together).toEqual([...alone, ...alone, ...alone])
      expect(encoder.patchesInFlight()).toBe(0)
    })

    it('one that shows life goes on doing so, idle and at work', async () => {
      const begun = encoder.heardAt
      if (begun === undefined) return
      const heardLater = async (than: number) => {
        while (encoder.heardAt! <= than) await Bun.sleep(20)
        return encoder.heardAt!
      }
      const idle = await heardLater(begun)
      let working = true
      const work = (async () => {
        while (working) await encoder.encode(first, never)
      })()
      await heardLater(await heardLater(idle))
      working = false
      await work
    })

    it('who leaves is told so and leaves nothing behind', async () => {
      await expect(encoder.encode(first, AbortSignal.abort())).rejects.toMatchObject({ code: 'client_closed_request' })
      const leaving = new AbortController()
      const running = encoder.encode(second, leaving.signal)
      const staying = encoder.encode(first, never)
      leaving.abort()
      if (cases.remembers) expect((await running).rows).toBe(second.tokens)
      else await expect(running).rejects.toMatchObject({ code: 'client_closed_request' })
      expect((await staying).rows).toBe(first.tokens)
      expect(encoder.patchesInFlight()).toBe(0)
    })

    if (cases.broken !== undefined) {
      it('a file that is no picture is invalid_image, and the next picture is fine', async () => {
        await expect(encoder.encode(cases.broken!, never)).rejects.toMatchObject({ code: 'invalid_image' })
        expect((await encoder.encode(first, never)).rows).toBe(first.tokens)
      })
    }

    cases.more?.(() => encoder)

    it('stop ends what runs, is heard, and may be said twice', async () => {
      const ends = Promise.allSettled(cases.pictures.map((picture) => encoder.encode(picture, never)))
      await encoder.stop()
      for (const end of await ends) if (end.status === 'rejected') expect(end.reason).toMatchObject({ code: 'engine_unavailable' })
      expect(encoder.ready).toBe(false)
      expect(states.at(-1)).toMatchObject({ ready: false })
      await expect(encoder.encode(first, never)).rejects.toMatchObject({ code: 'engine_unavailable' })
      await encoder.stop()
    })
  })
}
