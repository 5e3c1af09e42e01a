// The promises of media/store.ts, held by every store.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { MediaStore } from '../../src/media/store.ts'

export interface StoreKind {
  /** A fresh and empty place. */
  open(limits?: { maxBytes?: number; maxAgeMs?: number; httpUrl?: string }): Promise<MediaStore>
  /** Ends what was started for it. */
  close(): Promise<void>
}

const bytes = (text: string) => new TextEncoder().encode(text)
const pattern = (size: number) => Uint8Array.from({ length: size }, (_, i) => (i * 7 + (i >> 9)) & 255)

export function mediaStoreSuite(
  name: string,
  make: () => Promise<StoreKind>,
  run: typeof describe | typeof describe.skip = describe,
): void {
  run(name, () => {
    let kind: StoreKind
    beforeAll(async () => {
      kind = await make()
    })
    afterAll(() => kind?.close())

    const read = async (store: MediaStore, path: string, start?: number, end?: number) => {
      const file = await store.open(path)
      return file && new Uint8Array(await new Response(file.read(start ?? 0, end ?? file.bytes)).arrayBuffer())
    }

    test('what was saved is read again, with its type, size and time', async () => {
      const store = await kind.open()
      const began = Date.now() - 2000
      expect(await store.save('users/u1/generations/a/b.png', pattern(70_000), 'image/png')).toBe('/media/users/u1/generations/a/b.png')
      const file = (await store.open('users/u1/generations/a/b.png'))!
      expect(file).toMatchObject({ bytes: 70_000, contentType: 'image/png' })
      expect(file.modifiedMs).toBeGreaterThan(began)
      expect(await read(store, 'users/u1/generations/a/b.png')).toEqual(pattern(70_000))
      await store.close()
    })

    test.each([
      [0, 1],
      [10, 11],
      [69_999, 70_000],
      [1234, 50_000],
      [0, 70_000],
    ])('bytes %d to %d alone, as often as wanted', async (start, end) => {
      const store = await kind.open()
      await store.save('c.mp4', pattern(70_000), 'video/mp4')
      for (let i = 0; i < 2; i++) expect(await read(store, 'c.mp4', start, end)).toEqual(pattern(70_000).subarray(start, end))
    })

    test('an empty file is a file', async () => {
      const store = await kind.open()
      await store.save('e.png', new Uint8Array(0), 'image/png')
      expect((await store.open('e.png'))?.bytes).toBe(0)
    })

    test('a large one too', async () => {
      const store = await kind.open()
      const large = pattern(9_000_001)
      await store.save('l.mp4', large, 'video/mp4')
      expect(Bun.hash((await read(store, 'l.mp4'))!)).toBe(Bun.hash(large))
    })

    test('the newer file of a name wins', async () => {
      const store = await kind.open()
      await store.save('a.png', bytes('one'), 'image/png')
      await store.save('a.png', bytes('two!'), 'image/png')
      expect(await read(store, 'a.png')).toEqual(bytes('two!'))
    })

    test('what is not there is undefined, and removing it says so', async () => {
      const store = await kind.open()
      expect(await store.open('no/such.png')).toBeUndefined()
      expect(await store.remove('no/such.png')).toBe(false)
      await store.save('x/y.png', bytes('y'), 'image/png')
      expect(await store.open('x')).toBeUndefined()
      expect(await store.remove('x/y.png')).toBe(true)
      expect(await store.open('x/y.png')).toBeUndefined()
    })

    const tricks = [
      '../a.png',
      'a/../b.png',
      '/etc/passwd',
      'a//b.png',
      '.hidden',
      'a/.part-1',
      'a\\b.png',
      'a/b\0.png',
      '',
      'a/',
      '%2e%2e/a',
      'ä.png',
      'x'.repeat(400),
    ]
    test.each(tricks)('the path %p names nothing, and nothing can be saved there', async (path) => {
      const store = await kind.open()
      expect(await store.open(path)).toBeUndefined()
      expect(await store.remove(path)).toBe(false)
      expect(store.save(path, bytes('x'), 'image/png')).rejects.toMatchObject({ code: 'storage_failed' })
    })

    test('addresses begin with what the user said', async () => {
      const store = await kind.open({ httpUrl: 'https://cdn.example.org/pictures/' })
      expect(await store.save('u/a.png', bytes('a'), 'image/png')).toBe('https://cdn.example.org/pictures/u/a.png')
    })

    test('without limits nothing is dropped', async () => {
      const store = await kind.open()
      await store.save('a.png', bytes('a'), 'image/png')
      await store.sweep(Date.now() + 1e12)
      expect(await store.open('a.png')).toBeDefined()
    })

    test('too old goes', async () => {
      const store = await kind.open({ maxAgeMs: 60_000 })
      await store.save('users/d/generations/a.png', bytes('a'), 'image/png')
      await store.sweep(Date.now() + 30_000)
      expect(await store.open('users/d/generations/a.png')).toBeDefined()
      await store.sweep(Date.now() + 90_000)
      expect(await store.open('users/d/generations/a.png')).toBeUndefined()
    })

    test('of too much the oldest goes', async () => {
      const store = await kind.open({ maxBytes: 250 })
      for (const name of ['a', 'b', 'c']) {
        await store.save(`videos/video_${name}.png`, pattern(100), 'image/png')
        await Bun.sleep(1100) // S3 tells times in seconds.
      }
      await store.sweep(Date.now())
      expect(await store.open('videos/video_a.png')).toBeUndefined()
      expect(await store.open('videos/video_b.png')).toBeDefined()
      expect(await store.open('videos/video_c.png')).toBeDefined()
    }, 20_000)

    test('what others keep there is never dropped, whatever the limits', async () => {
      const store = await kind.open({ maxAgeMs: 1, maxBytes: 10 })
      for (const theirs of ['notes.txt', 'backups/db.tar', 'images/logo.png', 'videos/holiday.mp4', 'users/anna/letter.txt'])
        await store.save(theirs, bytes('theirs'), 'image/png')
      const note = `images/img_${'0'.repeat(32)}.json`
      await store.save(note, bytes('{}'), 'application/json')
      await store.sweep(Date.now() + 1e9)
      expect(await store.open(note)).toBeUndefined()
      for (const theirs of ['notes.txt', 'backups/db.tar', 'images/logo.png', 'videos/holiday.mp4', 'users/anna/letter.txt'])
        expect(await store.open(theirs)).toBeDefined()
    })
  })
}
