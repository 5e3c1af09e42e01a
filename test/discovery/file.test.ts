import { afterEach, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileDiscovery } from '../../src/discovery/file/discovery.ts'
import { beatLine } from '../../src/discovery/file/layout.ts'
import { cardOf, listen } from '../helpers/discovery.ts'
import { eventually } from '../helpers/processes/start.ts'
import { discoverySuite } from '../suites/discovery.suite.ts'

const folders: string[] = []
const newFolder = () => {
  const folder = mkdtempSync(join(tmpdir(), 'discovery-'))
  folders.push(folder)
  return folder
}
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

discoverySuite('file', async () => {
  const parent = mkdtempSync(join(tmpdir(), 'discovery-suite-'))
  const folder = join(parent, 'not', 'yet')
  const kept = join(parent, 'kept')
  return {
    open: async () => fileDiscovery({ folder }),
    options: { backend: 'file', file: { folder } },
    outage: {
      // A file where the folder was: nothing can be read or made there.
      async begin() {
        renameSync(folder, kept)
        writeFileSync(folder, '')
      },
      async lose() {
        rmSync(kept, { recursive: true })
      },
      async end() {
        rmSync(folder)
        if (existsSync(kept)) renameSync(kept, folder)
      },
    },
    stop: async () => rmSync(parent, { recursive: true, force: true }),
  }
})

test('a folder that is deleted under way is made again and nobody is gone for it', async () => {
  const folder = newFolder()
  const discovery = fileDiscovery({ folder })
  await discovery.announce(cardOf('a'))
  const heard = await listen(discovery, 'ns')
  for (let i = 0; i < 5; i++) {
    rmSync(folder, { recursive: true })
    await eventually('the card lies there again', () => existsSync(join(folder, 'dynamo-sglang', 'ns', 'a.json')))
    await Bun.sleep(500)
  }
  await discovery.announce(cardOf('b'))
  await eventually('changes are still seen', () => heard.cards.has('b'))
  expect(heard.lines).toEqual(['added a', 'added b'])
  await discovery.close()
})

test('files that are no cards are skipped', async () => {
  const folder = newFolder()
  const base = join(folder, 'dynamo-sglang', 'ns')
  await mkdir(join(base, 'folder.beat'), { recursive: true })
  writeFileSync(join(base, 'lonely.json'), '{')
  writeFileSync(join(base, 'half.beat'), 'abc 1')
  writeFileSync(join(base, 'noise.beat'), crypto.getRandomValues(new Uint8Array(64)))
  for (const [name, text] of Object.entries({
    cut: '{"id":"cut","ki',
    number: '7',
    nobody: '{"id":"nobody","kind":"worker","namespace":"ns"}',
  })) {
    writeFileSync(join(base, `${name}.json`), text)
    writeFileSync(join(base, `${name}.beat`), beatLine('v', 1))
  }
  // Reading these would never end, or fill the memory.
  for (const file of ['pipe.json', 'pipe-beat.beat']) Bun.spawnSync(['mkfifo', join(base, file)])
  symlinkSync('/dev/zero', join(base, 'endless.json'))
  writeFileSync(join(base, 'huge.json'), '')
  truncateSync(join(base, 'huge.json'), 1 << 30)
  for (const name of ['pipe', 'endless', 'huge']) writeFileSync(join(base, `${name}.beat`), beatLine('v', 1))
  const discovery = fileDiscovery({ folder })
  await discovery.announce(cardOf('good'))
  const heard = await listen(discovery, 'ns')
  await eventually('the good one is there', () => heard.cards.size === 1)
  expect([...heard.cards.keys()]).toEqual(['good'])
  await discovery.close()
})

test('what a dead process left is not told to a watcher that comes later, however recent its clock says it is', async () => {
  const folder = newFolder()
  const base = join(folder, 'dynamo-sglang', 'ns')
  await mkdir(base, { recursive: true })
  writeFileSync(join(base, 'dead.json'), JSON.stringify({ ...cardOf('dead'), version: 'v' }))
  writeFileSync(join(base, 'dead.beat'), beatLine('v', 1))
  const discovery = fileDiscovery({ folder })
  utimesSync(join(base, 'dead.beat'), 1, 1)
  const long = await listen(discovery, 'ns')
  expect(long.lines).toEqual([])
  const ahead = Date.now() / 1000 + 3600
  utimesSync(join(base, 'dead.beat'), ahead, ahead)
  expect((await listen(discovery, 'ns')).lines).toEqual([])
  await discovery.close()
})

test('no temporary files are left, and a withdrawn card leaves its folder without the card', async () => {
  const folder = newFolder()
  const discovery = fileDiscovery({ folder })
  const card = await discovery.announce(cardOf('a'))
  for (let i = 0; i < 20; i++) await card.update({ i })
  const base = join(folder, 'dynamo-sglang', 'ns')
  expect(readdirSync(base).sort()).toEqual(['a.beat', 'a.json'])
  await card.withdraw()
  expect(readdirSync(base)).toEqual(['a.beat'])
  await discovery.close()
})
