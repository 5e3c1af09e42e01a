// An S3 bucket as media store, against a real server process: the shared promises, and a server or bucket that is gone.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { S3Client } from 'bun'
import { openStore } from '../../../src/media/store/open.ts'
import { s3Store } from '../../../src/media/store/s3.ts'
import { type Broker, startS3 } from '../../helpers/processes/broker.ts'
import { mediaStoreSuite } from '../../suites/media-store.suite.ts'

const keys = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER', region: 'us-east-1', sessionToken: undefined }
const none = { httpUrl: undefined, maxBytes: undefined, maxAgeMs: undefined }
const endpoint = (server: Broker) => `http://127.0.0.1:${server.port}`
let prefixes = 0

mediaStoreSuite('an S3 bucket', async () => {
  const server = await startS3()
  return {
    open: (limits = {}) => s3Store({ ...none, ...keys, ...limits, bucket: 'media', prefix: `p${++prefixes}`, endpoint: endpoint(server) }),
    close: () => server.stop(),
  }
})

describe('an S3 bucket', () => {
  let server: Broker
  beforeAll(async () => {
    server = await startS3()
  })
  afterAll(() => server.stop())

  const open = (more: object = {}) =>
    s3Store({ ...none, ...keys, bucket: 'media', prefix: 'x', endpoint: endpoint(server), timeoutMs: 3000, ...more })

  test('the variables of S3’s tools, and Dynamo’s', async () => {
    const aws = {
      AWS_ACCESS_KEY_ID: 'S3RVER',
      AWS_SECRET_ACCESS_KEY: 'S3RVER',
      AWS_REGION: 'us-east-1',
      AWS_ENDPOINT_URL: endpoint(server),
    }
    const fsspec = { FSSPEC_S3_KEY: 'S3RVER', FSSPEC_S3_SECRET: 'S3RVER', FSSPEC_S3_ENDPOINT_URL: endpoint(server) }
    for (const env of [aws, fsspec]) {
      const store = await openStore({ ...none, fsUrl: 's3://media/deep/prefix', env })
      expect(store.place).toBe('s3://media/deep/prefix')
      await store.save('a/b.png', Uint8Array.of(1, 2), 'image/png')
    }
    const raw = new S3Client({ ...aws, accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER', endpoint: endpoint(server), bucket: 'media' })
    expect(await raw.file('deep/prefix/a/b.png').bytes()).toEqual(Uint8Array.of(1, 2))
    expect((await raw.file('deep/prefix/a/b.png').stat()).type).toBe('image/png')
  })

  test.each([
    ['a bucket that is not there', { bucket: 'nothing-here' }],
    ['an unknown key', { accessKeyId: 'SOMEBODY' }],
    ['no keys', { accessKeyId: undefined, secretAccessKey: undefined }],
    ['nobody at the address', { endpoint: 'http://127.0.0.1:9' }],
  ])('%s is told at start', async (_, more) => {
    await expect(open(more)).rejects.toMatchObject({ code: 'storage_failed', status: 507 })
  })

  test('at start the address and the reason are told', async () => {
    const page = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response('<html>Hello</html>') })
    const missing = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response('?', { status: 404 }) })
    const broken = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response('out of order', { status: 500 }) })
    const at = (port: number | undefined) => `http://127.0.0.1:${port}`
    const keys = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' }
    try {
      for (const [url, why] of [
        [at(9), 'nobody answers there'],
        ['http://no-such-host.invalid', 'there is no host of that name'],
        [at(page.port), 'what answers there is no S3 server'],
        [at(missing.port), 'what answers there is no S3 server'],
        [at(broken.port), 'out of order'],
      ] as const) {
        const message = await openStore({ ...none, fsUrl: 's3://bucket/pre', env: { ...keys, AWS_ENDPOINT_URL: url } }).then(
          () => '',
          (error) => (error as Error).message,
        )
        expect(message).toContain(`The bucket bucket at ${url} cannot be used: `)
        expect(message).toContain(why)
        expect(message).not.toContain('log')
      }
    } finally {
      await Promise.all([page.stop(true), missing.stop(true), broken.stop(true)])
    }
  })

  test('an empty variable counts as absent', async () => {
    const env = { AWS_ACCESS_KEY_ID: 'S3RVER', AWS_SECRET_ACCESS_KEY: 'S3RVER', AWS_SESSION_TOKEN: '', AWS_ENDPOINT_URL: '' }
    const store = await openStore({ ...none, fsUrl: 's3://media/p', env: { ...env, S3_ENDPOINT: endpoint(server) } })
    expect(store.place).toBe('s3://media/p')
  })

  test('what others keep in the bucket is not dropped', async () => {
    const raw = new S3Client({ accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER', endpoint: endpoint(server), bucket: 'media' })
    await raw.write('elsewhere/theirs.png', 'theirs')
    const store = await open({ maxAgeMs: 1 })
    await store.save('videos/video_ours.png', Uint8Array.of(1), 'image/png')
    await store.sweep(Date.now() + 1e9)
    expect(await store.open('videos/video_ours.png')).toBeUndefined()
    expect(await raw.exists('elsewhere/theirs.png')).toBe(true)
  })

  test('a server that is gone fails the save, and it works again when it is back', async () => {
    const store = await open()
    await server.kill()
    await expect(store.save('g.png', Uint8Array.of(1), 'image/png')).rejects.toMatchObject({ code: 'storage_failed' })
    await expect(store.open('g.png')).rejects.toMatchObject({ code: 'storage_failed' })
    await server.restart()
    await store.save('g.png', Uint8Array.of(1), 'image/png')
    expect((await store.open('g.png'))?.bytes).toBe(1)
  }, 30_000)

  test('a server that is mute is given up', async () => {
    const store = await open({ timeoutMs: 500 })
    server.signal('SIGSTOP')
    try {
      await expect(store.save('m.png', Uint8Array.of(1), 'image/png')).rejects.toMatchObject({ code: 'storage_failed' })
    } finally {
      server.signal('SIGCONT')
    }
  })
})
