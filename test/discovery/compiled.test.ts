// Every backend inside an executable made as the product is: client libraries, dynamic imports and file watches work there too.
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDiscovery } from '../../src/discovery/open.ts'
import type { DiscoveryOptions } from '../../src/discovery/options.ts'
import { announceElsewhere, cardOf, listen, spawn } from '../helpers/discovery.ts'
import { FakeKubernetes } from '../helpers/fakes/fake-kubernetes.ts'
import { needsEtcd, needsNats, startEtcd, startNats } from '../helpers/processes/broker.ts'
import { eventually } from '../helpers/processes/start.ts'

const folder = mkdtempSync(join(tmpdir(), 'discovery-compiled-'))
const program = join(folder, 'announcer')

beforeAll(async () => {
  const result = await Bun.build({
    entrypoints: [join(import.meta.dir, '../helpers/processes/announcer.ts')],
    compile: { target: 'bun-linux-x64', outfile: program, autoloadDotenv: false, autoloadBunfig: false },
    minify: true,
    bytecode: true,
    format: 'esm',
  })
  expect(result.logs).toEqual([])
}, 120_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Running {
  options: DiscoveryOptions
  stop(): Promise<void>
}
const backends: Record<string, () => Promise<Running>> = {
  file: async () => ({ options: { backend: 'file', file: { folder: join(folder, 'cards') } }, stop: async () => {} }),
  kubernetes: async () => {
    const server = new FakeKubernetes()
    return { options: { backend: 'kubernetes', kubernetes: server.options }, stop: () => server.stop().then(() => server.remove()) }
  },
}
if (needsEtcd())
  backends.etcd = async () => {
    const etcd = await startEtcd()
    return { options: { backend: 'etcd', etcd: { endpoints: [`127.0.0.1:${etcd.port}`] } }, stop: etcd.stop }
  }
if (needsNats())
  backends.nats = async () => {
    const nats = await startNats()
    return { options: { backend: 'nats', nats: { servers: [`127.0.0.1:${nats.port}`] } }, stop: nats.stop }
  }

for (const [name, start] of Object.entries(backends)) {
  test(`${name}: an executable announces and watches, and is gone when it is killed`, async () => {
    const running = await start()
    const here = await openDiscovery(running.options)
    const heard = await listen(here, 'ns')
    const other = await announceElsewhere(running.options, [cardOf('compiled')], [program])
    const watcher = spawn(running.options, ['--watch', 'ns'], [program])
    await eventually('it is seen here', () => heard.cards.has('compiled'))
    await eventually('it is seen by the executable', () => watcher.lines.includes('{"kind":"added","id":"compiled"}'))
    other.kill('SIGKILL')
    await eventually('it is gone here', () => heard.cards.size === 0)
    await eventually('it is gone for the executable', () => watcher.lines.includes('{"kind":"gone","id":"compiled"}'))
    watcher.kill('SIGKILL')
    await here.close()
    await running.stop()
  }, 60_000)
}
