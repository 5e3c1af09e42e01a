import { expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { commands } from '../../src/cli/cli.ts'
import { settingsTable } from '../../src/cli/help.ts'
import { parseSettings } from '../../src/cli/settings/parse-settings.ts'

const path = join(import.meta.dir, '../../README.md')
const readme = readFileSync(path, 'utf8')
const block = /(<!-- settings:.*-->\n)([\s\S]*?)(<!-- \/settings -->)/

test('the README has the table of settings as it is now (UPDATE=1 writes it)', () => {
  if (process.env.UPDATE === '1')
    writeFileSync(
      path,
      readme.replace(block, (_, head, __, tail) => `${head}${settingsTable()}${tail}`),
    )
  else expect(block.exec(readme)?.[2]).toBe(settingsTable())
})

test('the README names every command', () => {
  for (const { name, hidden } of commands) if (!hidden) expect(readme).toContain(`\`${name}\``)
})

const lines = [...readme.matchAll(/`dynamo-sglang ((serve|frontend|worker)[^`]*)`/g)]
  .map((match) => match[1]!)
  .filter((line) => !/ -f |…/.test(line))

test.each(lines)('the README says %s, and that is accepted', (line) => {
  const [command, ...args] = line.split(' ')
  expect(() => parseSettings(args, {}, command as 'serve')).not.toThrow()
})

test('the README gives every package of the executable a reason, and no other', () => {
  const { dependencies } = JSON.parse(readFileSync(join(import.meta.dir, '../../package.json'), 'utf8')) as { dependencies: object }
  const section = /## Dependencies\n([\s\S]*?)\nOnly for development/.exec(readme)![1]!
  const named = [...section.matchAll(/^\| ([\w@/.-]+) \|/gm)].map((match) => match[1]).filter((name) => name !== 'package')
  expect(named.sort()).toEqual(Object.keys(dependencies).sort())
})
