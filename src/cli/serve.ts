// `serve`: front end, router and engines on this machine, until a signal ends it.
import type { DiffusionInfo } from '../engine/diffusion/diffusion.ts'
import type { EngineInfo } from '../engine/types.ts'
import { log } from '../lib/log.ts'
import { checkSeeing } from './deployment/check-seeing.ts'
import type { Environment } from './deployment/environment.ts'
import { mediaServeOptions, serveOptions } from './deployment/process-options.ts'
import type { Settings } from './settings/settings.ts'
import { type Opened, untilStopped } from './until-stopped.ts'

/** Serves until stopped; resolves with the exit code. Rejects with a start-up AppError. */
export async function serve(settings: Settings, env: Environment): Promise<number> {
  log.level = settings.logLevel
  for (const notice of settings.notices) log.warn(notice)
  const serving = await (settings.makes === undefined ? openText(settings, env) : openMedia(settings, env))
  return untilStopped(serving, {
    open: () => log.info({ url: serving.url, engine: settings.engine, model: settings.modelPath }, 'listening; the engine is starting'),
    ready: (told) => void process.stdout.write(told),
  })
}

/** A process that serves, whatever it makes; its start resolves with what a person at the terminal wants to know: what serves, and a request to try. */
interface Served extends Opened<string> {
  url: string
}

async function openText(settings: Settings, env: Environment): Promise<Served> {
  const { openServing } = await import('../serve/fleet/local.ts')
  const options = serveOptions(settings, env)
  await checkSeeing(options)
  const serving = openServing(options)
  const start = async () => {
    const { model, engine } = await serving.start()
    return announcement(serving.url, model, describe(engine.info), textRequest(model, engine.info))
  }
  return { ...serving, start }
}

async function openMedia(settings: Settings, env: Environment): Promise<Served> {
  const { openMediaServing } = await import('../serve/fleet/local-media.ts')
  const serving = openMediaServing(mediaServeOptions(settings, env))
  const start = async () => {
    const { model, info } = await serving.start()
    return announcement(serving.url, model, describe(info), mediaRequest(model, info))
  }
  return { ...serving, start }
}

interface Example {
  path: string
  body: object
}

function announcement(url: string, model: string, what: string, { path, body }: Example): string {
  const json = JSON.stringify(body).replaceAll("'", "'\\''")
  return `Serving ${model} with ${what} at ${url}\nTry: curl -N ${url}${path} -H 'content-type: application/json' -d '${json}'\n`
}

function describe(info: EngineInfo | DiffusionInfo): string {
  const [made, detail] = 'pipeline' in info ? ['pictures', info.pipeline] : ['text', info.level]
  return info.kind === 'mock' ? `the mock engine (no GPU, made-up ${made})` : `SGLang ${info.version} (${detail})`
}

function textRequest(model: string, { isEmbedding }: EngineInfo): Example {
  return isEmbedding
    ? { path: '/v1/embeddings', body: { model, input: 'Hello!' } }
    : { path: '/v1/chat/completions', body: { model, messages: [{ role: 'user', content: 'Hello!' }], max_tokens: 32, stream: true } }
}

function mediaRequest(model: string, { makes }: DiffusionInfo): Example {
  return makes === 'image'
    ? { path: '/v1/images/generations', body: { model, prompt: 'A lighthouse in a storm' } }
    : { path: '/v1/videos', body: { model, prompt: 'Waves rolling onto a beach', seconds: 2, nvext: { fps: 8 } } }
}
