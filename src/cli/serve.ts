// `serve`: front end, router and engines on this machine, until a signal ends it.
import type { EngineInfo } from '../engine/types.ts'
import { log } from '../lib/log.ts'
import { onSignals } from '../serve/lifecycle.ts'
import type { Environment } from './deployment/environment.ts'
import { serveOptions } from './deployment/process-options.ts'
import type { Settings } from './settings/settings.ts'

/** Serves until stopped; resolves with the exit code. Rejects with a start-up AppError. */
export async function serve(settings: Settings, env: Environment): Promise<number> {
  log.level = settings.logLevel
  for (const notice of settings.notices) log.warn(notice)
  const { openServing } = await import('../serve/fleet/local.ts')
  const serving = openServing(serveOptions(settings, env))
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
