// What can be counted exactly about the executable. Times are benches, not tests.
import { describe, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readdirSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { need } from './helpers/need.ts'
import { start } from './helpers/processes/start.ts'

const binary = join(import.meta.dir, '../dist/dynamo-sglang')
const built = need('the executable (bun run build)', existsSync(binary))

/** Runs it with an empty home, as on a machine that has nothing of ours. */
function alone(args: string[]): { code: number; out: string; left: string[] } {
  const home = mkdtempSync(join(tmpdir(), 'budget-'))
  const result = Bun.spawnSync([binary, ...args], { cwd: home, env: { HOME: home, TMPDIR: home } })
  return { code: result.exitCode, out: result.stdout.toString(), left: readdirSync(home) }
}

describe.skipIf(!built)('the executable', () => {
  test('is at most 180 MB', () => expect(statSync(binary).size).toBeLessThanOrEqual(180e6))

  test('needs nothing beside it: no PATH, no node_modules, no repository', () => {
    expect(alone(['version'])).toMatchObject({ code: 0, out: expect.stringContaining('dynamo-sglang') })
  })

  test.each([['version'], ['help'], ['example']])('%s unpacks and writes nothing', (name) => expect(alone([name]).left).toEqual([]))

  test('serving text unpacks nothing for images: no picture codec, no WebGPU', async () => {
    const home = mkdtempSync(join(tmpdir(), 'budget-'))
    const server = await start({ env: { HOME: home, TMPDIR: home, XDG_CACHE_HOME: join(home, 'cache') } })
    try {
      const unknown = await fetch(`${server.url}/v1/images/generations`, {
        ...{ method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"prompt":"x"}' },
      })
      expect(unknown.status).toBe(404)
      const left = readdirSync(home, { recursive: true }).map(String)
      expect(left.filter((path) => /vips|sharp|webgpu|dawn|vulkan/i.test(path))).toEqual([])
    } finally {
      await server.stop()
    }
  }, 30_000)
})
