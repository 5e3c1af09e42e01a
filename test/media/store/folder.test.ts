// A folder as media store: the shared promises, and what only a file system can do wrong.
import { afterAll, describe, expect, test } from 'bun:test'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { folderStore } from '../../../src/media/store/folder.ts'
import { openStore } from '../../../src/media/store/open.ts'
import { mediaStoreSuite } from '../../suites/media-store.suite.ts'

const root = mkdtempSync(join(tmpdir(), 'media-store-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let made = 0
const fresh = () => join(root, `s${++made}`)
const none = { httpUrl: undefined, maxBytes: undefined, maxAgeMs: undefined }
const files = (folder: string) => readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())

mediaStoreSuite('a folder', async () => ({
  open: (limits = {}) => folderStore({ ...none, ...limits, folder: fresh() }),
  close: async () => {},
}))

describe('a folder', () => {
  test('a part of the path that is a file fails the save and leaves nothing', async () => {
    const folder = fresh()
    const store = await folderStore({ ...none, folder })
    writeFileSync(join(folder, 'users'), 'in the way')
    await expect(store.save('users/a.png', new Uint8Array(3), 'image/png')).rejects.toMatchObject({ code: 'storage_failed', status: 507 })
    expect(files(folder).map((entry) => entry.name)).toEqual(['users'])
  })

  test('a file larger than all room fails the save and leaves nothing', async () => {
    const folder = fresh()
    const store = await folderStore({ ...none, folder, maxBytes: 10 })
    await expect(store.save('a.png', new Uint8Array(11), 'image/png')).rejects.toMatchObject({ code: 'storage_failed' })
    expect(files(folder)).toEqual([])
  })

  test('a folder that was tidied away is made again', async () => {
    const folder = fresh()
    const store = await folderStore({ ...none, folder })
    rmSync(folder, { recursive: true })
    expect(await store.open('a.png')).toBeUndefined()
    await store.save('u/a.png', Uint8Array.of(1), 'image/png')
    expect((await store.open('u/a.png'))?.bytes).toBe(1)
  })

  test('links out of the folder are not followed', async () => {
    const folder = fresh()
    const store = await folderStore({ ...none, folder })
    const secret = join(root, 'secret.png')
    writeFileSync(secret, 'secret')
    symlinkSync(secret, join(folder, 'link.png'))
    expect(await store.open('link.png')).toBeUndefined()
  })

  test('what is kept is the user’s alone, unless somebody else serves it', async () => {
    const [own, shared] = [fresh(), fresh()]
    await (await folderStore({ ...none, folder: own })).save('u/a.png', new Uint8Array(1), 'image/png')
    await (await folderStore({ ...none, folder: shared, httpUrl: 'https://x' })).save('u/a.png', new Uint8Array(1), 'image/png')
    expect(statSync(join(own, 'u/a.png')).mode & 0o777).toBe(0o600)
    expect(statSync(join(shared, 'u/a.png')).mode & 0o044).toBe(0o044)
  })

  test('unfinished files of a dead process go after an hour, others stay', async () => {
    const folder = fresh()
    const store = await folderStore({ ...none, folder })
    for (const [name, hours] of [
      ['.part-old', 2],
      ['.part-new', 0],
      ['.keep', 2],
    ] as const) {
      writeFileSync(join(folder, name), 'x')
      const at = Date.now() / 1000 - hours * 3600
      utimesSync(join(folder, name), at, at)
    }
    await store.sweep(Date.now())
    expect(
      files(folder)
        .map((entry) => entry.name)
        .sort(),
    ).toEqual(['.keep', '.part-new'])
  })

  test('empty folders go with their last file, the store’s own stays', async () => {
    const folder = fresh()
    const store = await folderStore({ ...none, folder })
    await store.save('users/u/generations/a.png', new Uint8Array(1), 'image/png')
    await store.remove('users/u/generations/a.png')
    expect(readdirSync(folder)).toEqual([])
  })
})

describe('the address of a store', () => {
  const open = (fsUrl: string) => openStore({ ...none, fsUrl, env: {} })

  test('file:/// and plain folders', async () => {
    const folder = fresh()
    expect((await open(`file://${folder}`)).place).toBe(`file://${folder}`)
    expect((await open(folder)).place).toBe(`file://${folder}`)
    expect((await open(`file://${join(root, 'with%20space')}`)).place).toBe(`file://${join(root, 'with space')}`)
  })

  test.each(['ftp://x/y', 'gs://bucket', 's3://', 's3:///x', 'file://host/folder', 's3://UPPER_case'])(
    '%p is refused by the flag',
    async (url) => {
      await expect(open(url)).rejects.toMatchObject({ code: 'invalid_setting', param: '--media-output-fs-url' })
    },
  )

  test('a folder that cannot be written is told at start', async () => {
    const folder = fresh()
    mkdirSync(folder)
    writeFileSync(join(folder, 'file'), '')
    await expect(open(join(folder, 'file', 'below'))).rejects.toMatchObject({ code: 'storage_failed', param: '--media-output-fs-url' })
    await expect(open('file:///proc/nope')).rejects.toMatchObject({
      message: 'Files cannot be kept in /proc/nope: no folder can be made there. (--media-output-fs-url file:///proc/nope)',
    })
    // Whatever else it is, in its own words: nobody reads a log of a start.
    await expect(open(join(folder, 'x'.repeat(300)))).rejects.toMatchObject({ message: expect.stringContaining('ENAMETOOLONG') })
    if (process.getuid?.() === 0) return
    chmodSync(folder, 0o500)
    await expect(open(folder)).rejects.toMatchObject({ code: 'storage_failed' })
  })
})

test('a folder that takes no bytes is told at start, and nothing is left in it', async () => {
  const folder = fresh()
  mkdirSync(folder)
  const open = `import { folderStore } from '${join(import.meta.dir, '../../../src/media/store/folder.ts')}'
    await folderStore({ folder: '${folder}', httpUrl: undefined, maxBytes: undefined, maxAgeMs: undefined }).catch((error) => process.exit(error.code === 'storage_failed' ? 3 : 4))`
  // Files of this process may have no bytes: they can be made, and every write fails.
  const child = Bun.spawn(['sh', '-c', `trap '' XFSZ; ulimit -f 0; exec "$0" -e "$1"`, process.execPath, open], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  expect([await child.exited, await new Response(child.stderr).text(), files(folder)]).toEqual([3, '', []])
})

test('saves and removals of one folder at the same time lose nothing', async () => {
  const folder = fresh()
  const store = await folderStore({ ...none, folder })
  const round = async (i: number) => {
    await store.save(`users/u/${i}.png`, Uint8Array.of(i & 255), 'image/png')
    expect(await store.remove(`users/u/${i}.png`)).toBe(true)
  }
  await Promise.all(Array.from({ length: 200 }, (_, i) => round(i)))
  expect(readdirSync(folder)).toEqual([])
})
