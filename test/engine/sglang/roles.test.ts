// Engines that do one part of a request: what the fake bridge sees of their start, and how the real one completes SGLang's arguments.
import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sglangEngine } from '../../../src/engine/sglang/engine.ts'
import { fakePython } from '../../helpers/fakes/fake-python.ts'

const folder = mkdtempSync(join(tmpdir(), 'roles-'))
const python = fakePython(folder)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The boots of an engine's requests up to the moment it was ready. */
async function warmedWith(args: string[]) {
  const env = { PATH: process.env.PATH ?? '/usr/bin:/bin' }
  const engine = sglangEngine({ python, args, env, cacheDir: join(folder, 'cache') })
  const info = await engine.start()
  const { boots, fins } = (await engine.control('facts', {})) as { boots: [string, number, number, number | null][]; fins: number }
  await engine.stop(0)
  return { info, boots, fins }
}

test('each rank of a prefill or decode engine is warm before the engine is ready', async () => {
  const prefill = await warmedWith(['--disaggregation-mode', 'prefill', '--dp-size', '2'])
  expect(prefill.info).toMatchObject({ role: 'prefill', bootstrap: { host: '10.0.0.1', port: 20123 } })
  expect(prefill.boots.map(([host, port, room, rank]) => [host, port, room % 2, rank])).toEqual([
    ['2.2.2.2', 20123, 0, 0],
    ['2.2.2.2', 20123, 1, 1],
  ])
  expect(prefill.fins).toBe(2)
  const decode = await warmedWith(['--disaggregation-mode', 'decode'])
  expect(decode.info.role).toBe('decode')
  expect(decode.boots.length).toBe(1)
  expect((await warmedWith([])).boots).toEqual([])
})

const script = `
import json, sys
sys.dont_write_bytecode = True
sys.path.insert(0, ${JSON.stringify(join(import.meta.dir, '../../../src/engine/sglang'))})
from bridge.facts import disagg
print(json.dumps([disagg.with_bootstrap(argv) for argv in json.loads(sys.argv[1])]))
`

/** What the bridge adds to each of these argument lists. */
function added(lists: string[][], env: Record<string, string> = {}): string[][] {
  const ran = Bun.spawnSync(['python3', '-c', script, JSON.stringify(lists)], { env: { PATH: process.env.PATH ?? '', ...env } })
  expect({ code: ran.exitCode, errors: ran.stderr.toString() }).toMatchObject({ code: 0 })
  const all = JSON.parse(ran.stdout.toString()) as string[][]
  return all.map((argv, i) => argv.slice(lists[i]!.length))
}

test('a prefill engine gets an address that others reach, unless its user gave one', () => {
  const config = join(folder, 'config.yaml')
  writeFileSync(config, 'disaggregation-mode: decode\n')
  const [free, split, given, decode, other, file] = added(
    [
      ['--disaggregation-mode', 'prefill'],
      ['--disaggregation-mode=prefill', '--dist-init-addr', '10.1.2.3:5000'],
      ['--disaggregation-mode', 'prefill', '--host', '0.0.0.0', '--disaggregation-bootstrap-port=8998'],
      ['--disaggregation-mode', 'decode'],
      ['--disaggregation-mode', 'prefill', '--node-rank', '1'],
      ['--config', config],
    ],
    { SGLANG_HOST_IP: '10.9.9.9' },
  )
  expect([free![0], free![1], free![2]]).toEqual(['--host', '10.9.9.9', '--disaggregation-bootstrap-port'])
  expect(Number(free![3])).toBeGreaterThanOrEqual(20_000)
  expect(Number(free![3])).toBeLessThan(32_768)
  expect(split![1]).toBe('10.9.9.9')
  expect([given, decode, other, file]).toEqual([[], [], [], []])
  expect(added([['--disaggregation-mode=prefill', '--dist-init-addr', '10.1.2.3:5000']])[0]![1]).toBe('10.1.2.3')
})
