// `serve`: front end, router and engine on this machine, until a signal ends it.
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { EngineInfo } from '../engine/types.ts'
import { AppError } from '../lib/errors.ts'
import { log } from '../lib/log.ts'
import { onSignals } from '../serve/lifecycle.ts'
import type { EngineOptions, ServeOptions } from '../serve/options.ts'
import { hubOptions } from '../tokenizer/hub.ts'
import type { Settings } from './settings/settings.ts'
import { version } from './version.ts'

type Environment = Readonly<Record<string, string | undefined>>

const MEGABYTE = 1 << 20

/** Serves until stopped; resolves with the exit code. Rejects with a start-up AppError. */
export async function serve(settings: Settings, env: Environment): Promise<number> {
  log.level = settings.logLevel
  for (const notice of settings.notices) log.warn(notice)
  const { openServing } = await import('../serve/deps.ts')
  const serving = await openServing(serveOptions(settings, env))
  const unsignal = onSignals(serving.lifecycle, () => serving.kill())
  log.info({ url: serving.url, engine: settings.engine, model: settings.modelPath }, 'listening; the engine is starting')
  try {
    // A signal during the start ends it, even if the engine does not come to an end with its start.
    const started = await Promise.race([serving.start(), serving.lifecycle.stopped])
    if (started !== undefined && serving.lifecycle.state === 'ready') announce(serving.url, started.model, started.engine.info)
  } catch (error) {
    if (serving.lifecycle.state === 'starting') throw error
  }
  await serving.lifecycle.stopped
  unsignal()
  return 0
}

/** What a person at the terminal wants to know: what serves, and a request to try. */
function announce(url: string, model: string, info: EngineInfo): void {
  const what = info.kind === 'mock' ? 'the mock engine (no GPU, made-up text)' : `SGLang ${info.version} (${info.level})`
  const ask = info.isEmbedding
    ? { path: '/v1/embeddings', body: { model, input: 'Hello!' } }
    : { path: '/v1/chat/completions', body: { model, messages: [{ role: 'user', content: 'Hello!' }], max_tokens: 32, stream: true } }
  process.stdout.write(
    `Serving ${model} with ${what} at ${url}\n` +
      `Try: curl -N ${url}${ask.path} -H 'content-type: application/json' -d '${JSON.stringify(ask.body).replaceAll("'", "'\\''")}'\n`,
  )
}

function serveOptions(settings: Settings, env: Environment): ServeOptions {
  return {
    version,
    endpoint: settings.endpoint,
    http: { host: settings.httpHost, port: settings.httpPort, ...tls(settings) },
    system: settings.systemPort === undefined ? undefined : { host: settings.systemHost, port: settings.systemPort },
    limits: {
      bodyBytes: settings.bodyLimitMb * MEGABYTE,
      inFlight: settings.maxInflight ?? 0,
      overloadStatus: settings.overloadStatus,
    },
    ignoreUnknownFields: settings.ignoreUnsupportedFields,
    corsOrigin: settings.corsOrigin,
    excludeToolsWhenNone: settings.excludeToolsWhenNone,
    model: {
      path: settings.modelPath,
      servedNames: settings.servedModelName,
      tokenizerPath: settings.tokenizerPath,
      customTemplate: settings.customJinjaTemplate,
      tokenizerCacheBytes: settings.tokenizerCacheMb * MEGABYTE,
      contextLength: settings.contextLength,
      hub: hubOptions(hubVariables(settings, env), settings.revision, (line) => process.stderr.write(`${line}\n`)),
      engineTokenizes: settings.useSglangTokenizer,
      samplingDefaults: !/--sampling-defaults[= ]openai/.test(settings.engineArgs.join(' ')),
    },
    engine: engineOptions(settings, env),
    health: { canaryFreshMs: settings.canaryIdleSecs * 1000, canaryIds: canaryIds(settings.healthCheckPayload) },
    graceMs: settings.gracePeriodSecs * 1000,
    drainMs: settings.drainTimeoutSecs * 1000,
  }
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

function engineOptions(settings: Settings, env: Environment): EngineOptions {
  const { engine, dpSize, maxRunningRequests, pageSize: blockSize } = settings
  if (engine === 'http') return { kind: 'http', url: settings.engineUrl! }
  if (engine === 'sglang') {
    const level = settings.bridgeLevel === 'auto' ? undefined : (settings.bridgeLevel as 'L1' | 'L0' | 'L2')
    return {
      kind: 'sglang',
      python: settings.python,
      args: settings.engineArgs,
      env: defined(env),
      level,
      cacheDir: cacheDir(settings, env),
      silenceMs: settings.engineSilenceSecs * 1000,
    }
  }
  const blocks = settings.numGpuBlocks
  return {
    kind: 'mock',
    speedupRatio: settings.speedupRatio,
    failure: settings.mockFailure,
    seed: settings.mockSeed,
    isEmbedding: settings.embeddingWorker,
    totalKvTokens: settings.maxTotalTokens ?? (blocks === undefined ? undefined : blocks * (blockSize ?? 16)),
    ...{ blockSize, dpSize, maxRunningRequests },
  }
}

function defined(env: Environment): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined))
}

/** Where the bridge's files are kept between runs. */
function cacheDir(settings: Settings, env: Environment): string {
  if (settings.cacheDir !== undefined) return settings.cacheDir
  return join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'dynamo-sglang')
}
