import { expect, test } from 'bun:test'
import { flat } from '../../src/lib/flat.ts'

test('a flat copy equals the text', () => {
  for (const text of ['', 'plain', 'Grüße', '日本 😀', '\0', 'half \ud83d']) expect(flat(`<${text}>`.slice(1, -1))).toBe(text)
})
