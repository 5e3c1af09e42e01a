import { expect, test } from 'bun:test'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkBootstrap, checkDiscovery, checkNats } from '../../../src/cli/doctor/peers.ts'
import { openDiscovery } from '../../../src/discovery/open.ts'
import { needsEtcd, needsNats, startEtcd, startNats } from '../../helpers/processes/broker.ts'

const folder = () => mkdtempSync(join(tmpdir(), 'doctor-'))

test('one process needs nobody', async () => {
  expect(await checkDiscovery({ backend: 'static' }, 'n')).toEqual({ level: 'ok', what: 'static discovery: no service is asked' })
})

test('file discovery: who is there; a folder that does not exist yet is fine', async () => {
  const file = { folder: folder() }
  const discovery = await openDiscovery({ backend: 'file', file })
  await discovery.announce({ id: 'w-1', kind: 'worker', namespace: 'n', body: {} })
  const found = await checkDiscovery({ backend: 'file', file }, 'n')
  expect(found).toEqual({ level: 'ok', what: `file discovery at ${file.folder}: 1 worker(s), 0 frontend(s) in namespace n` })
  await discovery.announce({ id: 'e-1', kind: 'encode-worker', namespace: 'n', body: {} })
  expect((await checkDiscovery({ backend: 'file', file }, 'n')).what).toContain('1 worker(s), 0 frontend(s), 1 encode-worker(s) in')
  await discovery.close()
  expect((await checkDiscovery({ backend: 'file', file: { folder: join(file.folder, 'a/b') } }, 'n')).level).toBe('ok')
})

test('file discovery: a place where no folder can be', async () => {
  const file = join(folder(), 'file')
  writeFileSync(file, '')
  const found = await checkDiscovery({ backend: 'file', file: { folder: join(file, 'x') } }, 'n')
  expect(found).toMatchObject({ level: 'fail', advice: expect.stringContaining('DYN_FILE_KV') })
})

test('a service that does not answer is named with its address', async () => {
  const etcd = await checkDiscovery({ backend: 'etcd', etcd: { endpoints: ['http://127.0.0.1:1'] } }, 'n', 500)
  expect(etcd).toMatchObject({
    level: 'fail',
    what: expect.stringContaining('http://127.0.0.1:1'),
    advice: expect.stringContaining('ETCD_ENDPOINTS'),
  })
  const nats = await checkNats({ servers: ['nats://127.0.0.1:1'] }, 500)
  expect(nats).toMatchObject({
    level: 'fail',
    what: expect.stringContaining('nats://127.0.0.1:1'),
    advice: expect.stringContaining('NATS_SERVER'),
  })
})

test.skipIf(!needsEtcd())('a real etcd', async () => {
  const etcd = await startEtcd()
  const found = await checkDiscovery({ backend: 'etcd', etcd: { endpoints: [`http://127.0.0.1:${etcd.port}`] } }, 'n')
  await etcd.stop()
  expect(found).toMatchObject({ level: 'ok', what: expect.stringContaining('0 worker(s)') })
})

test.skipIf(!needsNats())('a real NATS, as plane and as discovery', async () => {
  const broker = await startNats(['-js'])
  const nats = { servers: [`nats://127.0.0.1:${broker.port}`] }
  const [plane, discovery] = [await checkNats(nats), await checkDiscovery({ backend: 'nats', nats }, 'n')]
  await broker.stop()
  expect(plane.what).toMatch(/^NATS \d+\.\d+/)
  expect(discovery.level).toBe('ok')
})

test('the bootstrap server: there, something else, nothing', async () => {
  using server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: ({ url }) => new Response('OK', { status: url.endsWith('/health') ? 200 : 404 }),
  })
  expect(await checkBootstrap(`127.0.0.1:${server.port}`)).toEqual({
    level: 'ok',
    what: `bootstrap server at 127.0.0.1:${server.port} answers`,
  })
  using other = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response('', { status: 404 }) })
  expect((await checkBootstrap(`127.0.0.1:${other.port}`)).level).toBe('warn')
  expect(await checkBootstrap('127.0.0.1:1')).toMatchObject({
    level: 'fail',
    what: expect.stringContaining('127.0.0.1:1 cannot be reached'),
    advice: expect.stringContaining('--host 0.0.0.0'),
  })
})
