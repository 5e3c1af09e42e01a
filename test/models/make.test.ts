// The fixture models in the tree are what the script writes.
import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fixtures } from '../../models/make.ts'

const files = fixtures()

for (const [name, content] of files) {
  test(name, () => {
    expect(readFileSync(join(import.meta.dir, '../../models', name)).equals(Buffer.from(content as string))).toBe(true)
  })
}

test('a fixture is kilobytes', () => {
  for (const content of files.values()) expect(content.length).toBeLessThan(400_000)
})
