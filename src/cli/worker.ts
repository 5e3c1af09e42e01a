// `worker`: an engine that frontends elsewhere use, of text or, with a diffusion role, of images or videos; or encoders that language workers use. Until a signal ends it.
import { log } from '../lib/log.ts'
import { checkSeeing } from './deployment/check-seeing.ts'
import type { Environment } from './deployment/environment.ts'
import { encodeWorkerOptions, mediaWorkerOptions, processOptions, workerOptions } from './deployment/process-options.ts'
import type { Settings } from './settings/settings.ts'
import { type Opened, untilStopped } from './until-stopped.ts'

/** Works until stopped; resolves with the exit code. Rejects with a start-up AppError. */
export async function worker(settings: Settings, env: Environment): Promise<number> {
  log.level = settings.logLevel
  for (const notice of settings.notices) log.warn(notice)
  if (settings.nodeRank > 0) return (await import('./node.ts')).node(settings, env)
  if (settings.visionRole === 'processor') return processor(settings)
  const opened = await openRole(settings, env)
  const { id } = opened
  const { discoveryBackend: discovery, fileKv, namespace } = settings
  // An encode worker has no engine, whatever --engine would be without a word of it.
  const starting = settings.visionRole === 'encode' ? { encoder: settings.visionEncoder } : { engine: settings.engine }
  return untilStopped(opened, {
    open: () => log.info({ worker: id, ...starting, model: settings.modelPath }, `the ${Object.keys(starting)[0]} is starting`),
    ready({ model, address, events, besides = '' }) {
      log.info({ worker: id, address, events, discovery, namespace }, 'worker is ready')
      const where = discovery === 'file' ? `file discovery in ${fileKv}` : `${discovery} discovery`
      process.stdout.write(`Worker ${id} serves ${model} at ${address}${besides} (${where}, namespace ${namespace})\n`)
    },
  })
}

/** A process that works for frontends, whatever it makes; its start resolves with what they are told. */
interface Working extends Opened<{ model: string; address: string; events?: string; besides?: string }> {
  id: string
}

function openRole(settings: Settings, env: Environment): Promise<Working> {
  if (settings.makes !== undefined) return openMedia(settings, env)
  return settings.visionRole === 'encode' ? openEncoder(settings, env) : openText(settings, env)
}

async function openText(settings: Settings, env: Environment): Promise<Working> {
  const { openWorker } = await import('../serve/worker/worker.ts')
  const options = workerOptions(settings, env)
  await checkSeeing(options)
  const opened = openWorker(options)
  const start = async () => {
    const { card } = await opened.start()
    return { model: card.model.names[0]!, address: card.address, events: card.events }
  }
  return { ...opened, start }
}

async function openMedia(settings: Settings, env: Environment): Promise<Working> {
  const { openMediaWorker } = await import('../serve/worker/media-worker.ts')
  const opened = openMediaWorker(mediaWorkerOptions(settings, env))
  const start = async () => {
    const { names, address } = await opened.start()
    return { model: names[0]!, address }
  }
  return { ...opened, start }
}

async function openEncoder(settings: Settings, env: Environment): Promise<Working> {
  const { openEncodeWorker } = await import('../serve/worker/encode-worker.ts')
  const options = encodeWorkerOptions(settings, env)
  await checkSeeing(options)
  const opened = openEncodeWorker(options)
  const start = async () => {
    const { names, address, url } = await opened.start()
    return {
      model: `pictures of ${names[0]!}`,
      address,
      ...(url !== undefined && { besides: `, and SGLang's own language servers at ${url}` }),
    }
  }
  return { ...opened, start }
}

async function processor(settings: Settings): Promise<number> {
  const { openProcessor } = await import('../serve/worker/processor.ts')
  const told =
    'Processor: frontends read and prepare pictures themselves here; this process has nothing to do and stays until it is stopped\n'
  return untilStopped(openProcessor(processOptions(settings)), { open: () => {}, ready: () => void process.stdout.write(told) })
}
