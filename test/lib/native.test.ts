import { expect, test } from 'bun:test'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cacheRoots, type NativeGroup, unpack } from '../../src/lib/native.ts'

const folder = (): string => mkdtempSync(join(tmpdir(), 'native-'))

/** A group of one file, packed as the build packs it. */
function group(content: string): NativeGroup {
  const file = join(folder(), 'part.zst')
  writeFileSync(file, Bun.zstdCompressSync(Buffer.from(content)))
  const sha256 = new Bun.CryptoHasher('sha256').update(content).digest('hex')
  return {
    name: 'part',
    key: sha256.slice(0, 16),
    files: [{ at: 'lib/part.so', file, sha256, size: content.length }],
    entry: 'lib/part.so',
  }
}

test('the entry is unpacked once and used', () => {
  const root = folder()
  const part = group('hello')
  const used: string[] = []
  const at = unpack(part, [root], (path) => used.push(readFileSync(path, 'utf8')))
  unpack(part, [root], (path) => used.push(readFileSync(path, 'utf8')))
  expect(used).toEqual(['hello', 'hello'])
  expect(readdirSync(root)).toEqual([`part-${part.key}`])
  expect(at).toBe(join(root, `part-${part.key}`))
})

test('a damaged file is repaired', () => {
  const root = folder()
  const part = group('hello')
  const at = join(
    unpack(part, [root], () => {}),
    'lib/part.so',
  )
  chmodSync(at, 0o644)
  truncateSync(at, 2)
  unpack(part, [root], () => {})
  expect(readFileSync(at, 'utf8')).toBe('hello')
})

test('a root that cannot be written, or from which it cannot be loaded, is given up for the next', () => {
  const [blocked, noexec, good] = [join(folder(), 'file'), folder(), folder()]
  writeFileSync(blocked, '')
  const at = unpack(group('hello'), [join(blocked, 'x'), noexec, good], (path) => {
    if (path.startsWith(noexec)) throw new Error('failed to map segment')
  })
  expect(at.startsWith(good)).toBe(true)
  expect(() => unpack(group('hello'), [join(blocked, 'x')], () => {})).toThrow(/set DYN_CACHE_DIR/)
})

test('bytes that are not what was built are refused and leave nothing behind', () => {
  const root = folder()
  const part = group('hello')
  writeFileSync(part.files[0]!.file, Bun.zstdCompressSync(Buffer.from('hellx')))
  expect(() => unpack(part, [root], () => {})).toThrow(/damaged inside the executable/)
  expect(readdirSync(root)).toEqual([])
})

test('many processes at once make one folder', async () => {
  const root = folder()
  const part = group('x'.repeat(100_000))
  const script = `const { unpack } = await import(${JSON.stringify(join(import.meta.dir, '../../src/lib/native.ts'))})
    unpack(${JSON.stringify(part)}, [${JSON.stringify(root)}], (path) => { if (require('fs').statSync(path).size !== 100000) process.exit(3) })`
  const codes = await Promise.all(Array.from({ length: 4 }, () => Bun.spawn([process.execPath, '-e', script]).exited))
  expect(codes).toEqual([0, 0, 0, 0])
  expect(readdirSync(root)).toEqual([`part-${part.key}`])
})

test('the roots, best first', () => {
  const roots = cacheRoots({ DYN_CACHE_DIR: '/c', XDG_CACHE_HOME: '/x', HOME: '/h' })
  expect(roots.slice(0, 3)).toEqual(['/c/native', '/x/dynamo-sglang/native', '/h/.cache/dynamo-sglang/native'])
  expect(cacheRoots({ HOME: '/' }).length).toBe(1)
})
