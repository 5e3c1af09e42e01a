// Where this process stands among others: its namespace and endpoint, and where it looks for the others.
import { join } from 'node:path'
import type { Given } from './read-settings.ts'
import { invalid } from './rules.ts'
import type { Command } from './setting.ts'
import type { Settings, Values } from './settings.ts'

const shape = /^dyn:\/\/([\w-]+)\.([\w-]+)\.([\w-]+)$/

/**
 * The endpoint as a whole, and the namespace in which processes see each other. A suffix (the generation of a worker in a rolling update)
 * is part of the endpoint only, so that frontends see all generations.
 */
export function addressOf(draft: Values, given: Given): Pick<Settings, 'endpoint' | 'namespace'> {
  const base = given.has('namespace') ? draft.namespace : (draft.namespacePrefix ?? draft.namespace)
  const own = draft.namespaceSuffix === undefined ? base : `${base}-${draft.namespaceSuffix}`
  const endpoint = draft.endpoint ?? `dyn://${own}.${componentOf(draft)}.generate`
  const parts = shape.exec(endpoint)
  if (!parts) throw invalid('--endpoint', `--endpoint must be dyn://namespace.component.endpoint, not '${endpoint}'`)
  return { endpoint, namespace: draft.endpoint === undefined ? base : parts[1]! }
}

/** Dynamo's names of the parts. */
function componentOf({ disaggregationMode: mode, multimodalEncodeWorker }: Values): string {
  if (multimodalEncodeWorker || mode === 'encode') return 'encoder'
  return mode === 'prefill' ? 'prefill' : 'backend'
}

/** The backend that was asked for by name, else the one that the other settings ask for. */
export function discoveryOf(
  draft: Values,
  command: Command,
  env: Readonly<Record<string, string | undefined>>,
): Pick<Settings, 'discoveryBackend' | 'fileKv' | 'fileKvIsShared'> {
  const { discoveryBackend: named, workerAddresses, fileKv } = draft
  const backend = named ?? implied(draft, command)
  const isStatic = backend === 'static' || backend === 'mem'
  if (workerAddresses.length > 0 && !isStatic) {
    throw invalid(
      '--worker-address',
      `--worker-address is for --discovery-backend static, not ${backend}: with ${backend} workers are found`,
    )
  }
  if (command === 'frontend' && isStatic && workerAddresses.length === 0) {
    throw invalid(
      '--worker-address',
      `a frontend with --discovery-backend ${backend} needs its workers' addresses: --worker-address tcp://HOST:PORT; or take --discovery-backend file`,
    )
  }
  if (backend === 'kubernetes' && draft.kubernetesHost === undefined) {
    throw invalid('KUBERNETES_SERVICE_HOST', '--discovery-backend kubernetes needs a pod: KUBERNETES_SERVICE_HOST is not set')
  }
  for (const address of workerAddresses) {
    if (!/^tcp:\/\/.+:\d+(\/[\w-]+)?$/.test(address))
      throw invalid('--worker-address', `--worker-address must be like tcp://HOST:PORT, not '${address}'`)
  }
  return { discoveryBackend: backend, fileKv: fileKv ?? ownFolder(env), fileKvIsShared: fileKv === undefined }
}

function implied({ workerAddresses, fileKv, etcdEndpoints }: Values, command: Command): Settings['discoveryBackend'] {
  if (workerAddresses.length > 0) return 'static'
  if (fileKv !== undefined) return 'file'
  if (command === 'serve') return 'static'
  return etcdEndpoints.length > 0 ? 'etcd' : 'file'
}

/** One for each user and machine, so that two commands on one machine find each other without a word. */
function ownFolder(env: Readonly<Record<string, string | undefined>>): string {
  return join(env.TMPDIR || '/tmp', `dynamo-sglang-${process.getuid?.() ?? 'user'}`, 'discovery')
}
