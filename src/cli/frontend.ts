// `frontend`: HTTP and router; the engines are workers elsewhere. Until a signal ends it.
import { log } from '../lib/log.ts'
import type { Environment } from './deployment/environment.ts'
import { frontendOptions } from './deployment/process-options.ts'
import type { Settings } from './settings/settings.ts'
import { untilStopped } from './until-stopped.ts'

/** Serves until stopped; resolves with the exit code. Rejects with a start-up AppError. */
export async function frontend(settings: Settings, env: Environment): Promise<number> {
  log.level = settings.logLevel
  for (const notice of settings.notices) log.warn(notice)
  const { openFrontend } = await import('../serve/fleet/frontend.ts')
  const front = openFrontend(frontendOptions(settings, env))
  const { discoveryBackend: discovery, fileKv, namespace } = settings
  const where = { url: front.url, discovery, ...(discovery === 'file' ? { folder: fileKv } : {}), namespace }
  return untilStopped(front, {
    open: () => log.info(where, 'listening; looking for workers'),
    ready: () => void process.stdout.write(`Frontend at ${front.url}; workers join and leave as discovery finds them.\n`),
  })
}
