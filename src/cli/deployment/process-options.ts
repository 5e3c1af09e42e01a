// The settings as what our processes are told (serve/options.ts).
import { readFileSync } from 'node:fs'
import { homedir, hostname, networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { AppError } from '../../lib/errors.ts'
import type {
  EncodeWorkerOptions,
  FleetOptions,
  FrontendOptions,
  FrontOptions,
  MediaEngineOptions,
  MediaServeOptions,
  MediaWorkerOptions,
  ModelOptions,
  ProcessOptions,
  ServeOptions,
  WorkerOptions,
} from '../../serve/options.ts'
import { hubOptions } from '../../tokenizer/hub.ts'
import type { Settings } from '../settings/settings.ts'
import { version } from '../version.ts'
import { discoveryOptions } from './discovery-options.ts'
import { foreignOptions, visionFlag, visionOptions } from './encode-options.ts'
import { engineOptions } from './engine-options.ts'
import type { Environment } from './environment.ts'
import { diffusionEngineOptions, inputOptions, mediaOptions } from './media-options.ts'
import { planeOptions } from './plane-options.ts'
import { routerOptions } from './router-options.ts'

const MEGABYTE = 1 << 20

export function serveOptions(settings: Settings, env: Environment): ServeOptions {
  const { workers, migrationLimit, dpSize = 1 } = settings
  const id = processId()
  const alone = isStatic(settings) && settings.workerAddresses.length === 0
  // With one rank there is nothing to choose, and following its cache would be work for nothing.
  const choice = !alone || workers * dpSize > 1
  const follow = choice && (!alone || needsEvents(settings))
  const front = frontOptions(settings)
  return {
    ...front,
    ...(choice ? {} : { router: { ...front.router, ...withoutChoice } }),
    id,
    // Alone, short names are enough.
    workerId: (index) => (alone ? `${settings.engine}-${index}` : `${id}-${index}`),
    model: modelOptions(settings, env),
    engine: engineOptions(settings, env, cacheDir(settings, env), follow),
    workers,
    migrationLimit,
    ...apart(settings, env),
    ...(alone ? {} : { fleet: fleetOptions(settings, env) }),
    workerAddresses: isStatic(settings) ? settings.workerAddresses : [],
  }
}

/** `settings.makes` is set. */
export function mediaServeOptions(settings: Settings, env: Environment): MediaServeOptions {
  return {
    ...frontOptions(settings),
    ...mediaEngineOptions(settings, env),
    workerId: (index) => `${settings.engine}-${index}`,
    workers: settings.workers,
    media: mediaOptions(settings, env, cacheDir(settings, env)),
  }
}

/** `settings.makes` is set. */
export function mediaWorkerOptions(settings: Settings, env: Environment): MediaWorkerOptions {
  const id = processId()
  return {
    ...processOptions(settings),
    ...mediaEngineOptions(settings, env),
    ...{ id, workerId: () => id, workers: 1 },
    media: mediaOptions(settings, env, cacheDir(settings, env)),
    fleet: fleetOptions(settings, env),
  }
}

/** A mock without a model has got one by now (cli.ts). */
function mediaEngineOptions(settings: Settings, env: Environment): Pick<MediaEngineOptions, 'makes' | 'model' | 'engine' | 'canary'> {
  const { servedNames, hub } = modelOptions(settings, env)
  return {
    makes: settings.makes!,
    model: { path: settings.modelPath!, servedNames, hub, standard: settings.standardModel },
    engine: diffusionEngineOptions(settings, env, cacheDir(settings, env)),
    canary: settings.healthCheckPayload,
  }
}

/** Router options under which no prompt is hashed or remembered. */
const withoutChoice = { overlapScoreCredit: 0, assumeKvReuse: false, predictedTtlSecs: 0, ttlSecs: 0 }

const isStatic = ({ discoveryBackend }: Settings): boolean => discoveryBackend === 'static' || discoveryBackend === 'mem'

export function frontendOptions(settings: Settings, env: Environment): FrontendOptions {
  return {
    ...frontOptions(settings),
    id: processId(),
    model: modelOptions(settings, env),
    fleet: fleetOptions(settings, env),
    workerAddresses: isStatic(settings) ? settings.workerAddresses : [],
    minWorkers: settings.minInitialWorkers,
    media: mediaOptions(settings, env, cacheDir(settings, env)),
  }
}

export function workerOptions(settings: Settings, env: Environment): WorkerOptions {
  // Which router its frontends use is not known here, so the cache is followed where its blocks are worth anything to one.
  const follow = settings.disaggregationMode !== 'decode'
  return {
    ...processOptions(settings),
    id: processId(),
    model: modelOptions(settings, env),
    engine: engineOptions(settings, env, cacheDir(settings, env), follow),
    fleet: fleetOptions(settings, env),
    migrationLimit: settings.migrationLimit,
    ...apart(settings, env),
  }
}

/** Pictures encoded apart, where they are. */
function apart(settings: Settings, env: Environment): Pick<ServeOptions, 'vision'> {
  const vision = visionOptions(settings, env, planeOptions(settings, networkInterfaces()).tcp.host)
  return vision === undefined ? {} : { vision }
}

/** `settings.visionRole` is `encode`. A mock without a model has got one by now (cli.ts). */
export function encodeWorkerOptions(settings: Settings, env: Environment): EncodeWorkerOptions {
  const fleet = fleetOptions(settings, env)
  const foreign = foreignOptions(settings, fleet.planes)
  return {
    ...processOptions(settings),
    id: processId(),
    model: { ...modelOptions(settings, env), path: settings.modelPath! },
    vision: visionOptions(settings, env, fleet.planes.tcp.host)!,
    fleet,
    ...(foreign === undefined ? {} : { foreign }),
    canary: settings.healthCheckPayload,
  }
}

const needsEvents = ({ routerMode, useKvEvents }: Settings): boolean => routerMode === 'kv' && useKvEvents

/** Readable in logs and metrics, and another one for each start. */
function processId(): string {
  const host = hostname()
    .split('.')[0]!
    .replace(/[^A-Za-z0-9-]/g, '-')
    .slice(0, 40)
  return `${host}-${process.pid}-${crypto.randomUUID().slice(0, 4)}`
}

export function processOptions(settings: Settings): ProcessOptions {
  return {
    version,
    endpoint: settings.endpoint,
    system: settings.systemPort === undefined ? undefined : { host: settings.systemHost, port: settings.systemPort },
    health: { canaryFreshMs: settings.canaryIdleSecs * 1000, canaryIds: canaryIds(settings.healthCheckPayload) },
    graceMs: settings.gracePeriodSecs * 1000,
    drainMs: settings.drainTimeoutSecs * 1000,
  }
}

function frontOptions(settings: Settings): FrontOptions {
  return {
    ...processOptions(settings),
    http: { host: settings.httpHost, port: settings.httpPort, reusePort: settings.reusePort, ...tls(settings) },
    limits: {
      bodyBytes: settings.bodyLimitMb * MEGABYTE,
      inFlight: settings.maxInflight ?? 0,
      overloadStatus: settings.overloadStatus,
    },
    ignoreUnknownFields: settings.ignoreUnsupportedFields,
    corsOrigin: settings.corsOrigin,
    excludeToolsWhenNone: settings.excludeToolsWhenNone,
    controlRoutes: settings.controlApi,
    router: routerOptions(settings),
  }
}

function fleetOptions(settings: Settings, env: Environment): FleetOptions {
  return {
    namespace: settings.namespace,
    discovery: discoveryOptions(settings),
    planes: planeOptions(settings, networkInterfaces()),
    cacheDir: cacheDir(settings, env),
    replicaSync: settings.replicaSync,
  }
}

function modelOptions(settings: Settings, env: Environment): ModelOptions {
  return {
    path: settings.modelPath,
    servedNames: settings.servedModelName,
    tokenizerPath: settings.tokenizerPath,
    customTemplate: settings.customJinjaTemplate,
    tokenizerCacheBytes: settings.tokenizerCacheMb * MEGABYTE,
    contextLength: settings.contextLength,
    hub: hubOptions(hubVariables(settings, env), settings.revision, (line) => process.stderr.write(`${line}\n`)),
    engineTokenizes: settings.useSglangTokenizer,
    mustSee: mustSee(settings),
    input: inputOptions(settings, env),
    samplingDefaults: !/--sampling-defaults[= ]openai/.test(settings.engineArgs.join(' ')),
  }
}

function mustSee(settings: Settings): string | undefined {
  if (settings.visionRole === 'language') return visionFlag(settings)
  return settings.enableMultimodal ? '--enable-multimodal' : undefined
}

/** The hub's own variables, with what a settings file says in place of them. */
function hubVariables({ hfHome, hfToken, hfEndpoint, hfOffline }: Settings, env: Environment): Environment {
  return {
    ...env,
    HF_HOME: hfHome,
    HF_TOKEN: hfToken ?? env.HF_TOKEN,
    HF_ENDPOINT: hfEndpoint,
    HF_HUB_OFFLINE: hfOffline ? '1' : undefined,
  }
}

function tls(settings: Settings): { tls?: { cert: string; key: string } } {
  const { tlsCertPath, tlsKeyPath } = settings
  if (tlsCertPath === undefined || tlsKeyPath === undefined) return {}
  const read = (path: string, param: string) => {
    try {
      return readFileSync(path, 'utf8')
    } catch (cause) {
      throw new AppError('invalid_setting', { message: `${param}: the file ${path} cannot be read.`, param, cause })
    }
  }
  return { tls: { cert: read(tlsCertPath, '--tls-cert-path'), key: read(tlsKeyPath, '--tls-key-path') } }
}

/** Dynamo's payload names its prompt as `token_ids`; the rest of it only says "one token". */
function canaryIds(payload: Record<string, unknown> | undefined): Uint32Array | undefined {
  const ids = payload?.token_ids
  return Array.isArray(ids) && ids.every((id) => Number.isInteger(id) && id >= 0) ? Uint32Array.from(ids) : undefined
}

/** Where the bridge's files are kept between runs. */
function cacheDir(settings: Settings, env: Environment): string {
  if (settings.cacheDir !== undefined) return settings.cacheDir
  return join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'dynamo-sglang')
}
