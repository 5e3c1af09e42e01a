// Real servers that tests start, kill and start again on the same port and data.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { need } from '../need.ts'
import { freePort } from './sglang-server.ts'
import { eventually } from './start.ts'

export interface Broker {
  readonly port: number
  /** SIGKILL; resolves when it is dead. */
  kill(): Promise<void>
  /** The same port, and the same data unless it was wiped. Resolves when it answers. */
  restart(): Promise<void>
  /** Only while it is dead. */
  wipe(): void
  signal(signal: NodeJS.Signals): void
  stop(): Promise<void>
}

/** The path of a program, also from the folders that only root has in its PATH. */
export const programPath = (name: string): string | null => Bun.which(name, { PATH: `${process.env.PATH}:/usr/sbin:/sbin:/usr/local/sbin` })

export const needsEtcd = (): boolean => need('etcd (Debian package etcd-server)', programPath('etcd') !== null)
export const needsNats = (): boolean => need('nats-server (Debian package nats-server)', programPath('nats-server') !== null)

async function startBroker(
  command: (port: number, folder: string) => string[],
  ready: (port: number) => Promise<boolean>,
): Promise<Broker> {
  const port = freePort()
  const folder = mkdtempSync(join(tmpdir(), 'broker-'))
  let child: ReturnType<typeof Bun.spawn>
  async function begin(): Promise<void> {
    child = Bun.spawn(command(port, folder), { stdio: ['ignore', 'ignore', 'ignore'] })
    await eventually('the broker answers', () => ready(port).catch(() => false))
  }
  async function kill(): Promise<void> {
    child.kill('SIGKILL')
    await child.exited
  }
  await begin()
  return {
    port,
    kill,
    restart: begin,
    wipe: () => rmSync(folder, { recursive: true, force: true }),
    signal: (signal) => child.kill(signal),
    async stop() {
      await kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export function startEtcd(more: string[] = []): Promise<Broker> {
  const peer = freePort()
  return startBroker(
    (port, folder) => {
      const [client, other] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${peer}`]
      const addresses = ['--listen-client-urls', client, '--advertise-client-urls', client, '--listen-peer-urls', other]
      const cluster = ['--initial-advertise-peer-urls', other, '--initial-cluster', `default=${other}`]
      return [programPath('etcd')!, '--data-dir', join(folder, 'etcd'), '--log-level', 'error', ...addresses, ...cluster, ...more]
    },
    async (port) => (await fetch(`http://127.0.0.1:${port}/v3/kv/range`, { method: 'POST', body: '{"key":"eA=="}' })).status !== 503,
  )
}

/** `jetStream` keeps its streams in the broker's folder. */
export function startNats(more: string[] = []): Promise<Broker> {
  return startBroker(
    (port, folder) => [programPath('nats-server')!, '-a', '127.0.0.1', '-p', String(port), '-sd', folder, ...more],
    (port) =>
      new Promise((resolve) => {
        Bun.connect({
          hostname: '127.0.0.1',
          port,
          socket: { data: () => resolve(true), connectError: () => resolve(false) },
        }).catch(() => resolve(false))
      }),
  )
}

/** An S3 server with one bucket, `media`; keys S3RVER and S3RVER. */
export function startS3(): Promise<Broker> {
  const script = join(import.meta.dir, 's3rver.ts')
  return startBroker(
    (port, folder) => [process.execPath, script, String(port), folder, 'media'],
    async (port) => (await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(1000) })).status > 0,
  )
}
