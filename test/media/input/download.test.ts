import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { gzipSync } from 'node:zlib'
import { isPublicAddress } from '../../../src/media/input/address.ts'
import { readInput } from '../../../src/media/input/input.ts'
import { defaultPolicy, type InputPolicy, type Network } from '../../../src/media/input/policy.ts'
import { need } from '../../helpers/need.ts'
import { hasOpenssl, makeCertificates } from './certificates.ts'
import { whole } from './pictures.ts'

const never = new AbortController().signal

describe('addresses that no byte is sent to', () => {
  const names: Record<string, string[]> = {
    'loopback.test': ['127.0.0.1'],
    'metadata.test': ['169.254.169.254'],
    'six.test': ['::1'],
    'local6.test': ['fd00::1'],
    'ten.test': ['10.1.2.3'],
    'carrier.test': ['100.64.0.9'],
    'mapped.test': ['::ffff:127.0.0.1'],
    'nat64.test': ['64:ff9b::7f00:1'],
    'mixed.test': ['93.184.215.14', '127.0.0.1'],
  }
  const network: Network = {
    resolve: async (name) => names[name] ?? Promise.reject(new Error('ENOTFOUND')),
    isPublic: isPublicAddress,
  }
  const notPublic = /is not on the public internet/
  const cases: [string, RegExp][] = [
    ...Object.keys(names).map((name): [string, RegExp] => [`https://${name}/a.png`, notPublic]),
    ['http://loopback.test/a.png', /only https is read \(DYN_MM_ALLOW_INTERNAL=1 on the server allows http\)\./],
    ['HTTP://1.1.1.1/a.png', /only https is read/],
    ['https://127.0.0.1/a.png', notPublic],
    ['https://127.1/a.png', notPublic],
    ['https://2130706433/a.png', notPublic],
    ['https://0x7f000001/a.png', notPublic],
    ['https://0x7f.0.0.1/a.png', notPublic],
    ['https://0177.0.0.1/a.png', notPublic],
    ['https://①②⑦.⓪.⓪.①/a.png', notPublic],
    ['https://0/a.png', notPublic],
    ['https://[::1]/a.png', notPublic],
    ['https://[::ffff:169.254.169.254]/a.png', notPublic],
    ['https://[fd00:ec2::254]/a.png', notPublic],
    ['https://[64:ff9b::10.0.0.1]/a.png', notPublic],
    ['https://169.254.169.254/latest/meta-data/', notPublic],
    ['https://168.63.129.16/a.png', notPublic],
    ['https://user:secret@1.1.1.1/a.png', /has a user name or password in it/],
    ['https://token@1.1.1.1/a.png', /has a user name or password in it/],
    ['ftp://1.1.1.1/a.png', /only https is read\./],
    ['gopher://1.1.1.1/_GET', /only https is read/],
    ['javascript:alert(1)', /only https is read/],
    ['blob:https://1.1.1.1/x', /only https is read/],
    ['https://', /is not a valid address/],
    ['https://[::1/a.png', /is not a valid address/],
  ]
  for (const [url, message] of cases) {
    test(url, () =>
      expect(readInput({ url }, defaultPolicy, 'input_reference', never, network)).rejects.toMatchObject({
        code: 'invalid_value',
        param: 'input_reference',
        message: expect.stringMatching(message),
      }),
    )
  }

  test('messages never say what stands before the @', async () => {
    const error = await readInput({ url: 'https://user:secret@1.1.1.1/' }, defaultPolicy, 'x', never, network).catch((thrown) => thrown)
    expect(error.message).not.toContain('secret')
  })

  test("the machine's own names: localhost is refused", () =>
    expect(readInput({ url: 'https://localhost/a.png' }, defaultPolicy, 'image', never)).rejects.toMatchObject({
      message: expect.stringMatching(notPublic),
    }))

  test('a name that nobody knows', () =>
    expect(readInput({ url: 'https://unknown.test/' }, defaultPolicy, 'image', never, network)).rejects.toMatchObject({
      code: 'invalid_image',
    }))

  test('http is read where the policy allows internal addresses, other schemes not even there', async () => {
    const server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response(whole.png) })
    const policy = { ...defaultPolicy, allowInternal: true }
    expect((await readInput({ url: server.url.href }, policy, 'image', never)).length).toBeGreaterThan(100)
    await expect(readInput({ url: 'ftp://127.0.0.1/' }, policy, 'image', never)).rejects.toMatchObject({ code: 'invalid_value' })
    await server.stop(true)
  })
})

// An internet of our own: 127.0.0.1 counts as public, 127.0.0.2 as a neighbour who must not be reached.
describe.skipIf(!need('openssl', hasOpenssl))('over TLS', () => {
  const answers: Record<string, (request: Request) => Response | Promise<Response>> = {
    '/picture': () => new Response(whole.png),
    '/claims-html': () => new Response(whole.jpeg, { headers: { 'content-type': 'text/html' } }),
    '/html': () => new Response('<html>', { headers: { 'content-type': 'image/png' } }),
    '/missing': () => new Response('no', { status: 404 }),
    '/broken': () => new Response('no', { status: 500 }),
    '/echo': (request) => {
      // Bun takes a request's headers away once it is answered.
      seen = { url: request.url, headers: Object.fromEntries(request.headers) }
      return new Response(whole.png)
    },
    '/hop': (request) => redirect(new URL(request.url).searchParams.get('to')!),
    '/loop': () => redirect('/loop'),
    '/count': (request) => {
      const left = Number(new URL(request.url).searchParams.get('left'))
      return redirect(left === 0 ? '/picture' : `/count?left=${left - 1}`)
    },
    '/endless': () => new Response(endless()),
    '/says-large': () => new Response(new Uint8Array(3_000_000)),
    '/gzip': () => new Response(gzipSync(new Uint8Array(50_000_000)), { headers: { 'content-encoding': 'gzip' } }),
    '/no-content': () => new Response(null, { status: 204 }),
    '/nothing': () => new Response(''),
    '/stored-oddly': () => new Response(whole.png, { headers: { 'content-encoding': 'aws-chunked' } }),
    '/silent': () => new Promise(() => {}),
    '/drips': () => new Response(new ReadableStream({ pull: (c) => Bun.sleep(50).then(() => c.enqueue(new Uint8Array(1))) })),
    '/short': () => new Response(whole.png.subarray(0, 500)),
  }
  const redirect = (to: string) => new Response('', { status: 302, headers: { location: to } })
  const endless = () => new ReadableStream({ pull: (controller) => void controller.enqueue(new Uint8Array(65536)) })

  let seen: { url: string; headers: Record<string, string> } | undefined
  let neighbourHits = 0
  let lookups: string[] = []
  let network: Network
  let port: number
  let stop: () => Promise<unknown>
  const policy: InputPolicy = { ...defaultPolicy, maxBytes: 2_000_000, timeoutMs: 5_000 }
  const names: Record<string, string[][]> = {}

  beforeAll(() => {
    const certificates = makeCertificates()
    const good = certificates.of('good.test')
    const other = certificates.of('other.test')
    const serve = (hostname: string, at: number, fetch: (request: Request) => Response | Promise<Response>) =>
      Bun.serve({
        hostname,
        port: at,
        idleTimeout: 0,
        tls: [
          { ...good, serverName: 'good.test' },
          { ...other, serverName: 'other.test' },
        ],
        fetch,
      })
    const server = serve('127.0.0.1', 0, (request) => answers[new URL(request.url).pathname]!(request))
    port = server.port!
    const neighbour = serve('127.0.0.2', port, () => {
      neighbourHits++
      return new Response(whole.png)
    })
    stop = () => Promise.all([server.stop(true), neighbour.stop(true)])
    network = {
      ca: certificates.ca,
      isPublic: (address) => address === '127.0.0.1',
      async resolve(name) {
        lookups.push(name)
        const next = names[name]
        return next === undefined ? ['127.0.0.1'] : next.length > 1 ? next.shift()! : next[0]!
      },
    }
  })
  afterAll(() => stop())

  const get = (path: string, host = 'good.test', own: Partial<InputPolicy> = {}, signal = never) => {
    lookups = []
    return readInput({ url: `https://${host}:${port}${path}` }, { ...policy, ...own }, 'image', signal, network)
  }
  const failure = (...args: Parameters<typeof get>) =>
    get(...args).then(
      () => undefined,
      (thrown) => thrown,
    )

  test('a picture comes, asked for by its name at the address that was checked', async () => {
    expect((await get('/echo?a=b#part')).length).toBeGreaterThan(100)
    expect(new URL(seen!.url).search).toBe('?a=b')
    // Nothing of the client's request, nothing of the server.
    expect(seen!.headers).toEqual({
      host: `good.test:${port}`,
      'user-agent': 'dynamo-sglang',
      accept: 'image/*',
      'accept-encoding': 'identity',
      connection: 'close',
    })
  })

  test('names on one address get their own certificates (SNI), one that it has none for gets nothing', async () => {
    expect((await get('/picture', 'other.test')).length).toBeGreaterThan(100)
    expect((await get('/picture', 'good.test')).length).toBeGreaterThan(100)
    expect(await failure('/picture', 'evil.test')).toMatchObject({
      code: 'invalid_image',
      message: expect.stringContaining('certificate is not valid'),
    })
  })

  test('a name is looked up once, and a second answer for it is never connected to (DNS rebinding)', async () => {
    names['good.test'] = [['127.0.0.1'], ['127.0.0.2']]
    neighbourHits = 0
    expect((await get('/picture')).length).toBeGreaterThan(100)
    expect(lookups).toEqual(['good.test'])
    expect(neighbourHits).toBe(0)
    expect(await failure('/picture')).toMatchObject({ code: 'invalid_value' })
    expect(neighbourHits).toBe(0)
    delete names['good.test']
  })

  test('an address that does not answer gives way to the next of its name', async () => {
    names['good.test'] = [['127.0.0.9', '127.0.0.1']]
    const both = { ...network, isPublic: () => true }
    const url = `https://good.test:${port}/picture`
    expect((await readInput({ url }, policy, 'image', never, both)).length).toBeGreaterThan(100)
    delete names['good.test']
  })

  test('redirects are followed, to other names too, up to the limit', async () => {
    expect((await get(`/hop?to=${encodeURIComponent(`https://other.test:${port}/picture`)}`)).length).toBeGreaterThan(100)
    expect(lookups).toEqual(['good.test', 'other.test'])
    expect((await get('/count?left=4')).length).toBeGreaterThan(100)
    expect(await failure('/count?left=5')).toMatchObject({ message: expect.stringContaining('redirects more than 5 times') })
    expect(await failure('/loop')).toMatchObject({ code: 'invalid_image' })
  })

  const hops: [string, () => string][] = [
    ['a neighbour by address', () => `https://127.0.0.2:${port}/`],
    ['a neighbour by name', () => `https://neighbour.test:${port}/`],
    ['a neighbour as a number', () => `https://2130706434:${port}/`],
    ['http', () => 'http://good.test/'],
    ['a file', () => 'file:///etc/passwd'],
    ['data', () => `data:image/png;base64,${whole.png.toString('base64')}`],
    ['a password', () => `https://a:b@good.test:${port}/picture`],
  ]
  for (const [name, to] of hops) {
    test(`a redirect to ${name} is checked like the first address`, async () => {
      names['neighbour.test'] = [['127.0.0.2']]
      neighbourHits = 0
      expect(await failure(`/hop?to=${encodeURIComponent(to())}`)).toMatchObject({ code: 'invalid_value', param: 'image' })
      expect(neighbourHits).toBe(0)
    })
  }

  test('a content type is not asked: a JPEG called HTML is read, HTML called PNG is not', async () => {
    expect((await get('/claims-html')).length).toBeGreaterThan(100)
    expect(await failure('/html')).toMatchObject({ message: expect.stringContaining('is a web page') })
  })

  for (const [path, message] of [
    ['/missing', /its server answered 404/],
    ['/broken', /its server answered 500/],
    ['/short', /is a broken/],
    ['/says-large', /is larger than 2 MB/],
    ['/endless', /is larger than 2 MB/],
    ['/gzip', /its server sent it compressed, though asked not to/],
    ['/no-content', /its server's answer is empty/],
    ['/nothing', /its server's answer is empty/],
  ] as const) {
    test(`${path}: ${message.source}`, async () =>
      expect(await failure(path)).toMatchObject({ code: 'invalid_image', param: 'image', message: expect.stringMatching(message) }))
  }

  test('a coding that a store keeps with a file and that changes no byte is none', async () =>
    expect((await get('/stored-oddly')).length).toBeGreaterThan(100))

  for (const path of ['/silent', '/drips']) {
    test(`${path} ends with the time limit`, async () =>
      expect(await failure(path, 'good.test', { timeoutMs: 300 })).toMatchObject({
        code: 'invalid_image',
        message: 'The image at image could not be fetched: it took longer than 0.3 seconds.',
      }))
  }

  test('a name server that says nothing ends with the time limit', async () => {
    const mute = { ...network, resolve: () => new Promise<string[]>(() => {}) }
    const url = `https://good.test:${port}/picture`
    await expect(readInput({ url }, { ...policy, timeoutMs: 200 }, 'image', never, mute)).rejects.toMatchObject({ code: 'invalid_image' })
  })

  test('a client that goes away ends the download', async () => {
    for (const path of ['/silent', '/drips']) {
      const client = new AbortController()
      const going = failure(path, 'good.test', {}, client.signal)
      await Bun.sleep(100)
      client.abort()
      expect(await going).toMatchObject({ code: 'client_closed_request' })
    }
  })
})
