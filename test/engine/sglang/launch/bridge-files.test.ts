// The embedded Python files: complete, written once, safe when several processes start together.
import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { bridgeFiles, unpackBridge } from '../../../../src/engine/sglang/launch/bridge-files.ts'

const folder = mkdtempSync(join(tmpdir(), 'bridge-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const source = join(import.meta.dir, '../../../../src/engine/sglang/bridge')

const pythonFiles = (path: string) => [...new Bun.Glob('**/*.py').scanSync({ cwd: path })].sort()

test('the list is the folder', () => {
  expect(Object.keys(bridgeFiles).sort()).toEqual(pythonFiles(source))
  for (const [name, text] of Object.entries(bridgeFiles)) expect(text).toBe(readFileSync(join(source, name), 'utf8'))
})

test('many at once get the same complete folder, other files get another', async () => {
  const cache = join(folder, 'a/b')
  const paths = await Promise.all(Array.from({ length: 8 }, () => unpackBridge(cache)))
  expect(new Set(paths).size).toBe(1)
  expect(pythonFiles(paths[0]!)).toEqual(Object.keys(bridgeFiles).sort())
  expect(readdirSync(cache).length).toBe(1)
  const other = await unpackBridge(cache, { '__main__.py': 'pass' })
  expect(dirname(other)).not.toBe(dirname(paths[0]!))
})

test('a cache that cannot be written is told', async () => {
  expect(unpackBridge('/proc/nowhere')).rejects.toMatchObject({ code: 'invalid_setting' })
})
