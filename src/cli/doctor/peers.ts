// The checks of `doctor` that ask others: the discovery's backend, NATS as a plane, a prefill worker's bootstrap server.
import { accessSync, constants } from 'node:fs'
import type { Card } from '../../discovery/discovery.ts'
import { openDiscovery } from '../../discovery/open.ts'
import type { DiscoveryOptions } from '../../discovery/options.ts'
import { connectNats, type NatsOptions } from '../../transport/nats/connection.ts'
import { type Finding, fail, ok, warn } from './finding.ts'
import { nearest } from './machine.ts'

/** A service that has not answered by then does not. */
const patienceMs = 3000

/** Asks the backend for everybody in the namespace: that it answers, that we may read, and who is there. */
export async function checkDiscovery(options: DiscoveryOptions, namespace: string, waitMs = patienceMs): Promise<Finding> {
  const { backend } = options
  if (backend === 'static' || backend === 'mem') return ok(`${backend} discovery: no service is asked`)
  const place =
    options.file?.folder ?? options.etcd?.endpoints.join(', ') ?? options.nats?.servers.join(', ') ?? options.kubernetes?.apiServer
  if (options.file !== undefined) {
    const unwritable = checkWritable(options.file.folder)
    if (unwritable !== undefined) return unwritable
  }
  const cards = new Map<string, Card>()
  try {
    const discovery = await openDiscovery(options)
    const watch = discovery.watch(namespace, ({ kind, card }) => (kind === 'gone' ? cards.delete(card.id) : cards.set(card.id, card)))
    // Its own failure is told by the race; here only nobody must be left waiting for it.
    watch.catch(() => undefined)
    try {
      await within(watch, waitMs)
    } finally {
      discovery.close().catch(() => undefined)
    }
  } catch (thrown) {
    return fail(`${backend} discovery at ${place}: ${(thrown as Error).message}`, advice[backend])
  }
  const count = (kind: Card['kind']) => [...cards.values()].filter((card) => card.kind === kind).length
  const others = (['media-worker', 'encode-worker'] as const).filter((kind) => count(kind) > 0).map((kind) => `, ${count(kind)} ${kind}(s)`)
  const found = `${count('worker')} worker(s), ${count('frontend')} frontend(s)${others.join('')}`
  return ok(`${backend} discovery at ${place}: ${found} in namespace ${namespace}`)
}

const advice: Readonly<Record<'file' | 'etcd' | 'nats' | 'kubernetes', string>> = {
  file: 'give another folder: DYN_FILE_KV',
  etcd: 'is etcd running there? ETCD_ENDPOINTS and ETCD_AUTH_… say where and who; `dynamo-sglang example compose` starts one',
  nats: 'is NATS running there? NATS_SERVER and NATS_AUTH_… say where and who; `dynamo-sglang example compose` starts one',
  kubernetes: "may this pod's service account get, list, watch, create, patch and delete leases.coordination.k8s.io?",
}

/** undefined: it, or the nearest folder above it that exists, can be written. */
function checkWritable(folder: string): Finding | undefined {
  const above = nearest(folder)
  try {
    accessSync(above, constants.W_OK | constants.X_OK)
    return undefined
  } catch {
    return fail(`the folder of file discovery ${folder} cannot be written (${above})`, 'give another one: DYN_FILE_KV, or --file-kv')
  }
}

/** NATS as the request or event plane. */
export async function checkNats(options: NatsOptions, waitMs = patienceMs): Promise<Finding> {
  const servers = options.servers.join(', ')
  try {
    const connection = await within(connectNats(options, 'doctor', false), waitMs)
    const version = connection.info?.version ?? '?'
    await connection.close()
    return ok(`NATS ${version} at ${servers}`)
  } catch (thrown) {
    return fail(`NATS at ${servers}: ${(thrown as Error).message}`, advice.nats)
  }
}

/** SGLang's bootstrap server inside a prefill worker, which decode workers ask for their rooms. `address` is HOST:PORT. */
export async function checkBootstrap(address: string, waitMs = patienceMs): Promise<Finding> {
  const what = `bootstrap server at ${address}`
  try {
    const { status } = await fetch(`http://${address}/health`, { signal: AbortSignal.timeout(waitMs) })
    if (status === 200) return ok(`${what} answers`)
    return warn(
      `${what} answers ${status}`,
      'is that the port of --disaggregation-bootstrap-port, and not another one of the prefill worker?',
    )
  } catch (thrown) {
    return fail(
      `${what} cannot be reached: ${plain(thrown)}`,
      'start the prefill worker with --host 0.0.0.0 and --disaggregation-bootstrap-port, and let that port through between the machines',
    )
  }
}

/** Bun's words for a failed fetch end in a question to a browser's user. */
function plain(thrown: unknown): string {
  const { code, name, message } = thrown as { code?: string; name?: string; message: string }
  if (code === 'ECONNREFUSED' || code === 'ConnectionRefused') return 'connection refused'
  return name === 'TimeoutError' ? 'no answer' : message
}

async function within<T>(promise: Promise<T>, ms: number): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`no answer in ${ms / 1000} s`)), ms)
  try {
    return await Promise.race([promise, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
