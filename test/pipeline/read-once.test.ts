// Which parts of a request are equal, and read once.
import { expect, test } from 'bun:test'
import { readOnce } from '../../src/pipeline/read-once.ts'
import type { MediaPart } from '../../src/pipeline/types.ts'

const part = (url: string, more: Partial<MediaPart> = {}): MediaPart => ({ kind: 'image', url, param: 'messages[0].content[0]', ...more })
const { signal } = new AbortController()

/** What is read of `parts`. */
async function asked(parts: MediaPart[]): Promise<string[]> {
  const urls: string[] = []
  const once = readOnce(async ({ url, detail }) => urls.push(detail === undefined ? url : `${url} ${detail}`))
  await Promise.all(parts.map((one) => once(one, signal)))
  return urls
}

test('a kind and a sampling are wishes too', async () => {
  const clip = part('a', { kind: 'video' })
  expect(await asked([part('a'), clip, clip, { ...clip, sampling: { fps: 1 } }])).toEqual(['a', 'a', 'a'])
})

test('neither another fragment nor a detail that changes nothing has it read again', async () => {
  const details = ['auto', 'high', 'original'] as const
  const media = [
    part('https://a/b#1'),
    part('HTTPS://a/b'),
    part('https://a/b#2'),
    ...details.map((detail) => part('https://a/b', { detail })),
  ]
  expect(await asked(media)).toEqual(['https://a/b#1', 'HTTPS://a/b'])
  expect(await asked([part('data:,a'), part('data:,a#')])).toEqual(['data:,a', 'data:,a#'])
})

test('frames are always read', async () => {
  const frames = part('', { kind: 'video', frames: [] })
  expect(await asked([frames, frames])).toEqual(['', ''])
})
