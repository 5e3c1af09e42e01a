// Pictures of people who mean harm, through the API of the running product: each is refused with the part that is at fault, or answered as the harmless picture that it
// also is; nothing hangs, nothing is asked of neighbours, memory stays bounded.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deflateSync, gzipSync } from 'node:zlib'
import sharp from 'sharp'
import { dataUrl } from '../helpers/clips.ts'
import { ask, type Outcome, picture, refused } from '../helpers/hostile-chat.ts'
import { type PictureHost, startPictureHost } from '../helpers/picture-host.ts'
import { pngOf as pictureOf } from '../helpers/pictures.ts'
import { type Started, start } from '../helpers/processes/start.ts'
import { chunk, gifBomb, jpegBomb, pngOf as pngSaying, scanBomb, whole } from '../media/input/pictures.ts'

setDefaultTimeout(60_000)

const folder = mkdtempSync(join(tmpdir(), 'hostile-'))
const png = Buffer.from(await pictureOf(112, 84))
const jpeg = await sharp(png).jpeg().toBuffer()

let strict: Started
let open: Started
let host: PictureHost
let secret: PictureHost
const moved = (to: string) => () => new Response('', { status: 302, headers: { location: to } })
beforeAll(async () => {
  mkdirSync(join(folder, 'shown'))
  writeFileSync(join(folder, 'shown/a.png'), png)
  writeFileSync(join(folder, 'secret.png'), png)
  mkdirSync(join(folder, 'shown-not'))
  writeFileSync(join(folder, 'shown-not/a.png'), png)
  symlinkSync(join(folder, 'secret.png'), join(folder, 'shown/link.png'))
  symlinkSync('/', join(folder, 'shown/root'))
  secret = await startPictureHost()
  const body =
    (bytes: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
    () =>
      new Response(bytes, { headers })
  host = await startPictureHost({
    '/loop': moved('/loop'),
    '/ftp': moved('ftp://127.0.0.1/a.png'),
    '/file': moved(`file://${folder}/shown/a.png`),
    '/data': moved('data:image/png;base64,iVBORw0KGgo='),
    '/nowhere': moved('http://[::1'),
    '/empty': body(new Uint8Array()),
    '/nothing': () => new Response(null, { status: 204 }),
    '/html': body('<!doctype html><img src="a.png">', { 'content-type': 'image/png' }),
    '/called-html': body(png, { 'content-type': 'text/html' }),
    '/gzip': body(gzipSync(new Uint8Array(100_000_000)), { 'content-encoding': 'gzip', 'content-type': 'image/png' }),
    '/endless': () => new Response(new ReadableStream({ pull: (c) => void c.enqueue(new Uint8Array(1 << 20)) })),
  })
  const args = ['--model-path', 'models/tiny-vl', '--enable-multimodal']
  ;[strict, open] = await Promise.all([
    start({ args, env: { DYN_MM_LOCAL_PATH: join(folder, 'shown'), DYN_MM_ALLOW_INTERNAL: '' } }),
    start({ args, env: { DYN_MM_ALLOW_INTERNAL: '1' } }),
  ])
})
afterAll(async () => {
  await Promise.all([strict?.stop(), open?.stop(), host?.stop(), secret?.stop()])
  rmSync(folder, { recursive: true, force: true })
})

describe('addresses of neighbours', () => {
  const to = (name: string, scheme = 'https') => `${scheme}://${name}:${new URL(secret.url).port}/a.png`
  const spellings = [
    ...['127.0.0.1', '127.1', '2130706433', '0x7f000001', '0177.0.0.1', '0x7f.1', '127.0.0.1.', '①②⑦.0.0.1', '%31%32%37.0.0.1'],
    ...['localhost', 'LOCALHOST', '0', '0.0.0.0', '169.254.169.254', '10.0.0.1', '192.168.1.1', '172.31.0.1', '100.64.0.1'],
    ...[
      '[::1]',
      '[::]',
      '[::ffff:127.0.0.1]',
      '[::ffff:7f00:1]',
      '[::127.0.0.1]',
      '[64:ff9b::7f00:1]',
      '[2002:7f00:1::]',
      '[fe80::1]',
      '[fd00:ec2::254]',
    ],
  ]
  test.each(spellings)('%s', async (name) => {
    expect(await ask(strict, [picture(to(name))])).toMatchObject(refused('invalid_value', /not on the public internet/))
    expect(await ask(strict, [picture(to(name, 'http'))])).toMatchObject(refused('invalid_value', /only https is read/))
    expect(secret.asked('/a.png')).toBe(0)
  })
  test('localhost.', async () => {
    // Some resolvers know it with its dot, others do not.
    expect((await ask(strict, [picture(to('localhost.'))])).status).toBe(400)
    expect(secret.asked('/a.png')).toBe(0)
  })
  const others: [string, RegExp][] = [
    ['https://user:word@1.1.1.1/a.png', /user name or password/],
    ['https://1.1.1.1@127.0.0.1/a.png', /user name or password/],
    ['https://127.0.0.1\\@1.1.1.1/a.png', /not on the public internet/],
    ['ftp://1.1.1.1/a.png', /only https/],
    ['javascript:alert(1)', /only https/],
    ['https://[::1%25lo]/a.png', /not a valid address/],
    ['https:///', /not a valid address/],
    ['https://a\0b/', /not a valid address/],
  ]
  test.each(others)('%s', async (url, message) =>
    expect(await ask(strict, [picture(url)])).toMatchObject(refused('invalid_value', message)),
  )
})

describe('files of the server', () => {
  test('in the folder that is shown', async () =>
    expect(await ask(strict, [picture(`file://${folder}/shown/a.png`)])).toEqual({ status: 200 }))
  const paths = [
    ...[
      '/secret.png',
      '/shown/../secret.png',
      '/shown/%2e%2e/secret.png',
      '/shown/link.png',
      '/shown-not/a.png',
      '/shown',
      '/shown/none.png',
    ],
    '/shown/root/etc/passwd',
  ]
  test.each(paths)('not %s', async (path) =>
    expect(await ask(strict, [picture(`file://${folder}${path}`)])).toMatchObject(refused('invalid_value', /names no file of/)),
  )
  test.each([
    'file:///etc/passwd',
    'file:///proc/self/environ',
    'file:///dev/zero',
    'file://host/etc/passwd',
    'FILE:/etc/passwd',
    'file:etc%2fpasswd',
  ])('not %s', async (url) => {
    expect(await ask(strict, [picture(url)])).toMatchObject(refused('invalid_value', /names no file of/))
    expect(await ask(open, [picture(url)])).toMatchObject(refused('invalid_value', /DYN_MM_LOCAL_PATH/))
  })
})

describe('what a web server says', () => {
  const cases: [string, Outcome | ReturnType<typeof refused>][] = [
    ['/loop', refused('invalid_image', /redirects more than 5 times/)],
    ['/ftp', refused('invalid_value', /may not be fetched/)],
    ['/file', refused('invalid_value', /may not be fetched/)],
    ['/data', refused('invalid_value', /may not be fetched/)],
    ['/nowhere', refused('invalid_image', /no address/)],
    ['/missing', refused('invalid_image', /answered 404/)],
    ['/empty', refused('invalid_image', /is empty/)],
    ['/nothing', refused('invalid_image', /is empty/)],
    ['/html', refused('invalid_image', /is a web page/)],
    ['/called-html', { status: 200 }],
    ['/gzip', refused('invalid_image', /sent it compressed/)],
    ['/endless', refused('invalid_image', /larger than 50 MB/)],
  ]
  test.each(cases)('%s', async (path, outcome) => expect(await ask(open, [picture(host.url + path)])).toMatchObject(outcome as object))
  test('a public name may not lead to a neighbour either: what is refused is not asked', async () => {
    expect(await ask(strict, [picture(`${host.url}/a.png`)])).toMatchObject(refused('invalid_value'))
    expect(host.asked('/a.png')).toBe(0)
  })
})

const bomb = Buffer.concat([Buffer.from('a\0\0', 'latin1'), deflateSync(new Uint8Array(60_000_000))])
const noted = (name: string) => Buffer.concat([png.subarray(0, 33), chunk(name, bomb), png.subarray(33)])
const entities =
  '<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg"><text>&x;</text></svg>'
/** A canvas of 16,777,216 x 16,777,216, and the still picture of another file in it. */
function webpBomb(): Buffer {
  const head = Buffer.concat([Buffer.from('VP8X\x0a\0\0\0', 'latin1'), Buffer.alloc(4), Buffer.alloc(6, 255)])
  const out = Buffer.concat([whole.webp.subarray(0, 12), head, whole.webp.subarray(12)])
  out.writeUInt32LE(out.length - 8, 4)
  return out
}
const thin = (width: number, height: number) => pictureOf(width, height)

describe('files', () => {
  const harmless = { status: 200 }
  const cases: [string, () => Uint8Array | Promise<Uint8Array>, object][] = [
    ['PNG of 50,000 x 50,000', () => pngSaying(50_000, 50_000), refused('invalid_image', /megapixels/)],
    ['PNG of 2^31 x 2^31', () => pngSaying(0x7fffffff, 0x7fffffff), refused('invalid_image')],
    ['PNG of 0 x 0', () => pngSaying(0, 0), refused('invalid_image')],
    ['PNG of few pixels whose data unpack to 100 MB', () => pngSaying(64, 64, { raw: new Uint8Array(100_000_000) }), harmless],
    ['JPEG of 65,500 x 65,500', jpegBomb, refused('invalid_image', /megapixels/)],
    ['JPEG of 2,600 scans', () => scanBomb(6400, 2600), refused('invalid_image', /more than 100 times/)],
    ['GIF of 65,535 x 65,535', gifBomb, refused('invalid_image', /megapixels/)],
    ['WebP of 16,777,216 x 16,777,216', webpBomb, refused('invalid_image')],
    ['PNG with a profile that unpacks to 60 MB', () => noted('iCCP'), harmless],
    ['PNG with a text that unpacks to 60 MB', () => noted('zTXt'), harmless],
    ['SVG with an external entity', () => Buffer.from(entities), refused('invalid_image', /is an SVG drawing/)],
    [
      'SVG behind the head of a PNG',
      () => Buffer.concat([png.subarray(0, 8), Buffer.from(entities)]),
      refused('invalid_image', /broken PNG/),
    ],
    ['PDF', () => Buffer.from('%PDF-1.7'), refused('invalid_image', /PDF/)],
    ['PNG and a page', () => Buffer.concat([png, Buffer.from('<script>alert(1)</script>')]), harmless],
    ['a page and a PNG', () => Buffer.concat([Buffer.from('<html>'), png]), refused('invalid_image', /web page/)],
    ['JPEG and an archive', () => Buffer.concat([jpeg, Buffer.from('PK\x03\x04')]), harmless],
    ['half a PNG', () => png.subarray(0, png.length >> 1), refused('invalid_image', /cut-off/)],
    ['half a JPEG', () => jpeg.subarray(0, jpeg.length >> 1), refused('invalid_image', /cut-off/)],
    ['half a WebP', () => whole.webp.subarray(0, whole.webp.length >> 1), refused('invalid_image')],
    ['one byte', () => Uint8Array.of(0x89), refused('invalid_image', /is no picture/)],
    ['a PNG signature', () => png.subarray(0, 8), refused('invalid_image')],
    ['1 x 1', () => thin(1, 1), harmless],
    ['1 x 200', () => thin(1, 200), harmless],
    ['1 x 201', () => thin(1, 201), refused('invalid_image', /200 times/)],
    ['50,000 x 1', () => thin(50_000, 1), refused('invalid_image', /200 times/)],
    ['JPEG called PNG', () => jpeg, harmless],
  ]
  test.each(cases)('%s', async (_, make, outcome) => {
    const got = await ask(strict, [picture(dataUrl(await make(), 'image/png'))])
    expect(got).toMatchObject(outcome)
    expect(got.status).toBeLessThan(500)
  })
})
