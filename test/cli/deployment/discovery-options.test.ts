import { expect, test } from 'bun:test'
import { chmodSync, mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { discoveryOptions, natsOptions } from '../../../src/cli/deployment/discovery-options.ts'
import { parseSettings } from '../../../src/cli/settings/parse-settings.ts'
import type { Command } from '../../../src/cli/settings/setting.ts'

const options = (command: Command, line = '', env: Record<string, string> = {}) =>
  discoveryOptions(parseSettings(line.split(' ').filter(Boolean), env, command))

test('nothing said: one process is alone, processes of one user on one machine find each other', () => {
  expect(options('serve')).toEqual({ backend: 'static' })
  const [frontend, worker] = [options('frontend'), options('worker')]
  expect(frontend).toEqual(worker)
  expect(frontend).toEqual({ backend: 'file', file: { folder: `/tmp/dynamo-sglang-${process.getuid!()}/discovery` } })
})

test("the user's own folder is for nobody else; one that is open to others is not trusted", () => {
  const TMPDIR = mkdtempSync(join(tmpdir(), 'own-'))
  const { folder } = options('worker', '', { TMPDIR }).file!
  expect(folder).toStartWith(TMPDIR)
  expect(statSync(dirname(folder)).mode & 0o777).toBe(0o700)
  chmodSync(dirname(folder), 0o777)
  expect(() => options('worker', '', { TMPDIR })).toThrow(/written by somebody else/)
  rmSync(dirname(folder), { recursive: true })
  symlinkSync(TMPDIR, dirname(folder))
  expect(() => options('worker', '', { TMPDIR })).toThrow(/written by somebody else/)
})

test('two variables are enough for a frontend and its workers', () => {
  const env = { DYN_DISCOVERY_BACKEND: 'file', DYN_FILE_KV: '/d' }
  for (const command of ['serve', 'frontend', 'worker'] as const)
    expect(options(command, '', env)).toEqual({ backend: 'file', file: { folder: '/d' } })
})

test('what is given decides: a folder, addresses, etcd; serve asks etcd only by name', () => {
  expect(options('serve', '--file-kv /d').backend).toBe('file')
  expect(options('frontend', '--worker-address tcp://h:1').backend).toBe('static')
  expect(options('worker', '', { ETCD_ENDPOINTS: 'http://e:2379' }).backend).toBe('etcd')
  expect(options('serve', '', { ETCD_ENDPOINTS: 'http://e:2379' }).backend).toBe('static')
})

test('etcd with user and certificates', () => {
  const env = { ETCD_ENDPOINTS: 'http://a:1,http://b:2', ETCD_AUTH_USERNAME: 'u', ETCD_AUTH_PASSWORD: 'p', ETCD_AUTH_CA: '/ca' }
  expect(options('serve', '--discovery-backend etcd', env)).toEqual({
    backend: 'etcd',
    etcd: { endpoints: ['http://a:1', 'http://b:2'], user: 'u', password: 'p', tls: { caFile: '/ca' } },
  })
  expect(options('serve', '--discovery-backend etcd').etcd).toEqual({ endpoints: ['http://localhost:2379'] })
})

test('NATS, also when only a plane uses it', () => {
  expect(options('worker', '--discovery-backend nats --nats-server nats://n:4222').nats).toEqual({ servers: ['nats://n:4222'] })
  expect(natsOptions(parseSettings([], { NATS_AUTH_TOKEN: 't' }, 'worker'))).toEqual({ servers: ['nats://localhost:4222'], token: 't' })
})

test('Kubernetes as a pod sees it', () => {
  const env = { DYN_DISCOVERY_BACKEND: 'kubernetes', KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '6443', POD_NAME: 'w-0' }
  expect(options('worker', '', env).kubernetes).toEqual({ apiServer: 'https://[fd00::1]:6443', podName: 'w-0' })
})

test('a frontend of fixed addresses needs them', () => {
  expect(() => options('frontend', '--discovery-backend mem')).toThrow(/needs its workers' addresses/)
})
