import { expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { locked } from './lock.ts'
import { ownerOf } from './slim.ts'

const libraries = ['libcublas.so.13', 'libcublasLt.so.13', 'libcufile.so.0', 'libnccl.so.2', 'libcusparse.so.12', 'libcusparseLt.so.0']

test.each([
  ['cublasCreate_v2', 'libcublas.so.13'],
  ['cublasLtMatmul', 'libcublasLt.so.13'],
  ['cuFileRead', 'libcufile.so.0'],
  ['ncclAllReduce', 'libnccl.so.2'],
  ['pncclAllReduce', 'libnccl.so.2'],
  ['cusparseLtInit', 'libcusparseLt.so.0'],
  ['cudaMalloc', undefined],
  ['memcpy', undefined],
])('%s belongs to %s', (symbol, library) => expect(ownerOf(symbol, libraries)).toBe(library))

test('one holder at a time; a dead holder is no holder', async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'lock-')), 'lock')
  writeFileSync(path, '999999999')
  const order: string[] = []
  const hold = (name: string) =>
    locked(
      path,
      () => order.push(`${name} waits`),
      async () => {
        order.push(`${name} in`)
        expect(readFileSync(path, 'utf8')).toBe(String(process.pid))
        await Bun.sleep(20)
        order.push(`${name} out`)
      },
    )
  await Promise.all([hold('a'), hold('b')])
  expect(order).toEqual(['a in', 'b waits', 'a out', 'b in', 'b out'])
})
