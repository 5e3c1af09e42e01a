// The ffmpeg of the engine's Python is used where the user has none and named none.
import { afterAll, expect, test } from 'bun:test'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findFfmpeg } from '../../../src/serve/media/find-ffmpeg.ts'

const folder = mkdtempSync(join(tmpdir(), 'find-ffmpeg-'))
afterAll(() => rmSync(folder, { recursive: true }))

function script(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, `#!/bin/sh\n${text}\n`)
  chmodSync(path, 0o755)
  return path
}
const bundled = script('bundled-ffmpeg', 'exit 0')
const engine = (python: string) => ({ kind: 'sglang' as const, python, args: [], env: { PATH: folder }, cacheDir: folder })

test('where there is none, the one of the engine’s Python', async () => {
  const python = script('python', `echo a notice; echo ${bundled}`)
  expect(await findFfmpeg('ffmpeg', engine(python))).toBe(bundled)
})

test.each([
  ['a Python without it', 'exit 1'],
  ['one that names what is not there', 'echo /nowhere/ffmpeg'],
  ['one that says nothing', 'exit 0'],
])('%s changes nothing', async (_, text) => {
  expect(await findFfmpeg('ffmpeg', engine(script('other', text)))).toBe('ffmpeg')
})

test('the user’s own wins, and so does what the user said', async () => {
  const python = script('python2', `echo ${bundled}`)
  script('ffmpeg', 'exit 0')
  expect(await findFfmpeg('ffmpeg', engine(python))).toBe('ffmpeg')
  rmSync(join(folder, 'ffmpeg'))
  for (const named of ['/opt/ffmpeg', null]) expect(await findFfmpeg(named, engine(python))).toBe(named)
  const mock = { kind: 'mock' as const, speedupRatio: 1, failure: '', replicas: 1 }
  expect(await findFfmpeg('ffmpeg', mock)).toBe('ffmpeg')
})
