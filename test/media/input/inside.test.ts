import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { readInput } from '../../../src/media/input/input.ts'
import { defaultPolicy, type InputPolicy } from '../../../src/media/input/policy.ts'
import { whole } from './pictures.ts'

const signal = new AbortController().signal
const base64 = whole.png.toString('base64')
const read = (url: string, own: Partial<InputPolicy> = {}) => readInput({ url }, { ...defaultPolicy, ...own }, 'image', signal)
const failure = (url: string, own: Partial<InputPolicy> = {}) =>
  read(url, own).then(
    () => undefined,
    (thrown) => thrown,
  )

describe('inside the request', () => {
  const good: [string, string][] = [
    ['data: address', `data:image/png;base64,${base64}`],
    ['data: address in capitals, with parameters', `DATA:image/png;name=a.png;BASE64,${base64}`],
    ['data: address with a wrong type', `data:text/html;base64,${base64}`],
    ['data: address without a type', `data:;base64,${base64}`],
    ['data: address with escapes', `data:image/png;base64,${encodeURIComponent(base64)}`],
    ['bare base64', base64],
    ['bare base64 of a JPEG, which begins like a path', whole.jpeg.toString('base64')],
    ['base64 in lines', base64.replace(/.{76}/g, '$&\n')],
    ['base64 without padding, for URLs', whole.png.toString('base64url')],
    ['base64 with room around it', `\n  ${base64}  \n`],
  ]
  for (const [name, url] of good) test(name, async () => expect((await read(url)).length).toBeGreaterThan(100))

  const bad: [string, string, string, RegExp][] = [
    ['nothing', '', 'invalid_value', /is empty/],
    ['nothing', 'data:image/png;base64,', 'invalid_value', /is empty/],
    ['a name', 'picture.png', 'invalid_value', /neither an address of an image nor base64/],
    ['a path', '/etc/passwd', 'invalid_image', /is no picture/],
    ['data: without base64', 'data:image/svg+xml,%3Csvg%2F%3E', 'invalid_value', /must be data:<type>;base64,<data>/],
    ['data: without a comma', 'data:image/png;base64', 'invalid_value', /must be data:/],
    ['data: with an SVG', `data:image/png;base64,${btoa('<svg></svg>')}`, 'invalid_image', /is an SVG drawing/],
    ['data: that is no base64', 'data:image/png;base64,@@@@', 'invalid_value', /nor base64/],
    ['data: with a broken escape', 'data:image/png;base64,%ZZ', 'invalid_value', /nor base64/],
    ['base64 of one letter more than there can be', 'data:image/png;base64,iVBORw0KG', 'invalid_value', /nor base64/],
    ['the same with padding', 'data:image/png;base64,iVBO R===', 'invalid_value', /nor base64/],
    ['the same with padding that is no worse', 'data:image/png;base64,iVBO R==', 'invalid_value', /nor base64/],
    ['base64 that goes on after its end', `${base64.slice(0, 40)}==${base64}`, 'invalid_value', /nor base64/],
    ['half a picture', base64.slice(0, base64.length / 2), 'invalid_image', /is a broken or cut-off PNG/],
  ]
  for (const [name, url, code, message] of bad) {
    test(`${name}: ${code}`, async () =>
      expect(await failure(url)).toMatchObject({ code, param: 'image', message: expect.stringMatching(message) }))
  }

  test('millions of spaces and comments are refused as what they are, without trying every way to read them', async () => {
    const spaces = ' '.repeat(5_000_000)
    const notBase64 = { code: 'invalid_value', message: expect.stringContaining('nor base64') }
    expect(await failure(`data:image/png;base64,${spaces}@`)).toMatchObject(notBase64)
    expect(await failure(`data:image/png;base64,AAAA${spaces}=${spaces}@`)).toMatchObject(notBase64)
    expect(await failure(`data:image/png;${spaces}base64${spaces}x,AAAA`)).toMatchObject({ code: 'invalid_value' })
    expect((await read(`data:image/png;base64,${base64.slice(0, 80)}${spaces}${base64.slice(80)}`)).length).toBeGreaterThan(100)
    expect(await failure(`data:;base64,${btoa('<!---->'.repeat(140))}`)).toMatchObject({ code: 'invalid_image' })
    expect(await failure(`data:;base64,${btoa(`${'<!-- a -->\n'.repeat(20)}<svg></svg>`)}`)).toMatchObject({
      message: expect.stringContaining('is an SVG drawing'),
    })
  }, 20_000)

  test('limits: of data: addresses, and of any file', async () => {
    const tooLarge = { code: 'invalid_image', message: expect.stringContaining('is larger than') }
    expect((await read(`data:;base64,${base64}`, { maxDataUrlMb: whole.png.length / 1e6 })).length).toBeGreaterThan(100)
    expect(await failure(`data:;base64,${base64}`, { maxDataUrlMb: (whole.png.length - 1) / 1e6 })).toMatchObject(tooLarge)
    expect(await failure(base64, { maxBytes: whole.png.length - 1 })).toMatchObject(tooLarge)
    await expect(readInput({ bytes: whole.png }, { ...defaultPolicy, maxBytes: 100 }, 'image', signal)).rejects.toMatchObject(tooLarge)
  })
})

describe('file:// addresses', () => {
  const outside = mkdtempSync(join(tmpdir(), 'input-'))
  const folder = join(outside, 'images')
  afterAll(() => rmSync(outside, { recursive: true }))
  Bun.spawnSync(['mkdir', '-p', join(folder, 'deep'), `${folder}-secret`])
  for (const path of [join(outside, 'a.png'), join(folder, 'a b.png'), join(folder, 'deep/b.png'), `${folder}-secret/c.png`])
    writeFileSync(path, whole.png)
  symlinkSync(join(outside, 'a.png'), join(folder, 'link.png'))
  symlinkSync(outside, join(folder, 'up'))
  symlinkSync('deep/b.png', join(folder, 'inner.png'))
  Bun.spawnSync(['mkfifo', join(folder, 'pipe')])
  const policy = { localPath: folder }
  const url = (path: string) => pathToFileURL(folder).href + path

  for (const path of ['/a%20b.png', '/deep/b.png', '/deep/../a%20b.png', '/inner.png']) {
    test(`${path} is read`, async () => expect((await read(url(path), policy)).length).toBeGreaterThan(100))
  }

  const refused = ['/../a.png', '/%2e%2e/a.png', '/link.png', '/up/a.png', '-secret/c.png', '/none.png', '/deep', '/pipe', '/a%2Fb', '/%00']
  for (const path of refused) {
    test(`${path} is refused, in words that tell nothing`, async () =>
      expect(await failure(url(path), policy)).toMatchObject({
        code: 'invalid_value',
        message: "The address at image names no file of the server's image folder.",
      }))
  }

  test('other machines, devices and the rest of the disk are refused', async () => {
    for (const address of [
      'file://server/share/a.png',
      'file:///dev/zero',
      'file:///etc/passwd',
      'file:///proc/self/environ',
      `file://${outside}/a.png`,
    ]) {
      expect(await failure(address, policy)).toMatchObject({ code: 'invalid_value' })
    }
  })

  test('without a folder none is read', async () =>
    expect(await failure(url('/deep/b.png'))).toMatchObject({
      code: 'invalid_value',
      message: expect.stringContaining('DYN_MM_LOCAL_PATH'),
    }))

  test('a file over the limit', async () =>
    expect(await failure(url('/deep/b.png'), { ...policy, maxBytes: 50 })).toMatchObject({ code: 'invalid_image' }))
})
