// Our renderings equal those of transformers' apply_chat_template, byte for byte, for a template of each family (models/templates).
import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { readTemplate, renderCases, templateNames } from '../../models/templates/compare.ts'

const folder = join(import.meta.dir, '../../models/templates')
const names = templateNames(folder)

test('at least twelve families are covered', () => {
  expect(names.length).toBeGreaterThanOrEqual(12)
})

describe.each(names)('%s', (name) => {
  const { source, expected } = readTemplate(folder, name)
  const rows = renderCases(source)
  test.each(expected.map((row, i) => [row.name, row, rows[i]!] as const))('%s', (_, wanted, row) => {
    if (wanted.error === undefined) return expect(row.text).toBe(wanted.text!)
    expect(row.text).toBeUndefined()
    // What the template itself says reaches the client word for word.
    const words = /^TemplateError: ([\s\S]*)/.exec(wanted.error)?.[1]
    if (words !== undefined) expect(row.error).toBe(`AppError: ${words}`)
  })
})
