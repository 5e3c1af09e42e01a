import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { settingsHelp } from '../../../src/cli/help.ts'
import type { Setting } from '../../../src/cli/settings/setting.ts'
import { table } from '../../../src/cli/settings/settings.ts'

describe("the documents' flag table", () => {
  const content = readFileSync(join(import.meta.dir, '../../fixtures/dynamo/sglang-flags.txt'), 'utf8')
  const rows = content
    .split('\n')
    .filter((line) => line.startsWith('--'))
    .map((line) => line.split(' ') as [string, string, string])
  const help = settingsHelp('serve', '').split('\n')

  test('has all its rows', () => expect(rows.length).toBe(13))

  test.each(rows)('%s, %s, default %s', (flag, env, standard) => {
    const setting = (Object.values(table) as Setting[]).find((one) => one.flags.includes(flag))!
    expect(setting.env).toBe(env)
    expect(setting.default).toBe(standard === 'false' ? false : undefined)
    const line = help.findIndex((text) => text.startsWith(`  ${flag} `))
    expect(help[line]).toContain(`[${env}]`)
    expect(help[line + 1]).toContain(setting.doc.slice(0, 20))
  })
})

describe("the router's flags", () => {
  const content = readFileSync(join(import.meta.dir, '../../fixtures/dynamo/router-flags.txt'), 'utf8')
  const rows = content
    .split('\n')
    .filter((line) => line.startsWith('--'))
    .map((line) => line.split(' ') as [string, string, string])
  /** Where ours differs, and why. */
  const better: Record<string, string> = {
    '--router-mode': 'the seeds promise KV-aware routing; round-robin loses the caches',
    '--router-replica-sync': 'several frontends that do not tell each other overload a worker together',
    '--router-predicted-ttl-secs': 'requests that come before the first KV event would scatter',
    '--shared-cache-multiplier': 'reserved',
  }

  test('has all of them', () => expect(rows.length).toBe(41))

  test.each(rows)('%s, %s, default %s', (name, env, standard) => {
    const setting = (Object.values(table) as Setting[]).find((one) => one.flags.includes(name))!
    expect(setting.env).toBe(env)
    if (!better[name]) expect(String(setting.default ?? 'None')).toBe(standard)
  })
})

test('every setting has a name, a line of help and its own spellings', () => {
  const all = Object.values(table) as Setting[]
  const flags = all.flatMap((setting) => setting.flags)
  const variables = all.flatMap((setting) => [...(setting.env ? [setting.env] : []), ...(setting.also ?? [])])
  expect(new Set(flags).size).toBe(flags.length)
  expect(new Set(variables).size).toBe(variables.length)
  for (const setting of all) {
    expect(setting.flags.length + (setting.env ? 1 : 0)).toBeGreaterThan(0)
    expect(setting.doc).not.toBe('')
  }
})

test('every setting that has an effect reaches a process', () => {
  const folder = join(import.meta.dir, '../../../src/cli')
  const code = [...new Bun.Glob('**/*.ts').scanSync(folder)]
    .filter((path) => !path.startsWith('settings/'))
    .map((path) => readFileSync(join(folder, path), 'utf8'))
    .join('\n')
  const elsewhere: Record<string, string> = {
    isEmbedding: 'becomes embeddingWorker',
    imageDiffusionWorker: 'becomes makes',
    videoGenerationWorker: 'becomes makes',
    multimodalProcessor: 'becomes visionRole',
    dedicatedMmEncoder: 'becomes visionRole',
    enableMetrics: "SGLang's alone",
    disaggregationMode: "SGLang's, and of the mock",
    bootstrapPort: "SGLang's alone",
    sglangConfig: "SGLang's alone",
    disaggConfig: "becomes SGLang's --config",
    disaggConfigKey: "becomes SGLang's --config",
    settingsFile: 'read by parseSettings',
    namespacePrefix: 'becomes namespace',
    namespaceSuffix: 'part of endpoint',
  }
  const all = Object.entries(table as Record<string, Setting>)
  const unused = all.filter(([name, { state }]) => !state && !elsewhere[name] && !new RegExp(`\\b${name}\\b`).test(code))
  expect(unused.map(([name]) => name)).toEqual([])
})
