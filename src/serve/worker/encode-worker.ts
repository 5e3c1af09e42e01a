// `worker` that encodes pictures only: its encoders behind the request plane for language workers of the model, and as SGLang's own encoder for foreign language servers.
import type { Discovery } from '../../discovery/discovery.ts'
import type { Gateway } from '../../engine/vision/gateway/gateway.ts'
import type { Registration } from '../../engine/vision/gateway/registration.ts'
import type { EncoderCard } from '../../engine/vision/remote/card.ts'
import { log } from '../../lib/log.ts'
import type { Planes } from '../fleet/planes.ts'
import type { Health } from '../health.ts'
import { startHttp } from '../http/http.ts'
import { createSystemApp } from '../http/system-server.ts'
import { clipLimits, inputPolicy, noteFfmpeg, noteFolder } from '../input-policy.ts'
import { createLifecycle, type Lifecycle } from '../lifecycle.ts'
import type { EncodeWorkerOptions } from '../options.ts'
import { canaryPicture, pictureIn } from '../vision/canary.ts'
import { type Encoders, openEncoders } from '../vision/encoders.ts'
import { encoderHealth } from '../vision/health.ts'
import { encoderKind } from '../vision/make-encoder.ts'
import { readSeeingModel, type SeeingModel } from '../vision/model.ts'
import { type HostedEncoder, hostEncoders } from './host-encoder.ts'
import { joinFleet, startOrStop } from './start.ts'

export interface EncodeWorkerProcess {
  readonly id: string
  readonly lifecycle: Lifecycle
  /** Starts the encoders and shows them to language workers; rejects with a start-up AppError after everything was stopped again. */
  start(): Promise<EncoderCard>
  /** Ends every child process at once, for a second signal. */
  kill(): void
}

/** What has to be ended. */
interface Parts {
  encoders?: Encoders
  health?: Health
  planes?: Planes
  discovery?: Discovery
  hosted?: HostedEncoder
  gateway?: Gateway
  registration?: Registration
}

/** Opens the system port, if one is set, and answers /live there. Throws AppError `port_in_use`. */
export function openEncodeWorker(options: EncodeWorkerOptions): EncodeWorkerProcess {
  const { id, model, endpoint, version } = options
  const parts: Parts = {}
  const lifecycle = createLifecycle({
    graceMs: options.graceMs,
    drainMs: options.drainMs,
    inFlight: () => (parts.hosted?.open() ?? 0) + (parts.gateway?.running ?? 0),
    // First out of sight, then time for those who have not seen it yet.
    async leaving() {
      await Promise.all([parts.hosted?.withdraw(), parts.registration?.stop()])
    },
    // Language workers give new pictures to others.
    draining: () => parts.hosted?.tell(),
    stop,
  })
  const starting: Health = {
    check: async () => [{ id, healthy: false, ready: false, reason: 'starting', engine: null, inFlight: 0, ranks: [] }],
  }
  const system =
    options.system &&
    startHttp({
      app: createSystemApp(
        {
          ...{ version, endpoint, state: () => lifecycle.state },
          health: { check: () => (parts.health ?? starting).check() },
          served: () => [model.servedNames[0] ?? model.path],
          complete: () => true,
          // Text engines, whose own metrics would be told.
          workers: () => [],
        },
        [],
      ),
      ...options.system,
      portFlag: 'DYN_SYSTEM_PORT',
    })

  async function stop(): Promise<void> {
    await parts.registration?.stop()
    await parts.discovery?.close()
    await parts.gateway?.close()
    await parts.encoders?.stop()
    await parts.hosted?.close()
    await parts.planes?.close()
    await system?.stop(true)
  }

  return {
    id,
    lifecycle,
    start: () => startOrStop(lifecycle, () => start(options, parts, lifecycle), stop),
    kill() {
      void parts.encoders?.stop()
    },
  }
}

async function start(options: EncodeWorkerOptions, parts: Parts, lifecycle: Lifecycle): Promise<EncoderCard> {
  const { id, endpoint, fleet, vision } = options
  const { namespace } = fleet
  const model = await readSeeingModel(options.model.path, options.model, vision.flag)
  lifecycle.goOn()
  const encoders = openEncoders(vision, model, (index) => (vision.count === 1 ? id : `${id}-${index}`))
  parts.encoders = encoders
  parts.health = healthOf(options, model, encoders)
  await encoders.start()
  lifecycle.goOn()
  const { planes, discovery } = await joinFleet(parts, fleet, lifecycle)
  const url = await serveForeign(options, model, encoders, parts)
  const draining = () => lifecycle.state === 'draining' || lifecycle.state === 'stopped'
  parts.hosted = await hostEncoders({ id, encoders, endpoint, namespace, url, draining }, planes, discovery)
  lifecycle.goOn()
  return parts.hosted.card
}

function healthOf(
  { version, model: { input }, vision, health, canary }: EncodeWorkerOptions,
  model: SeeingModel,
  encoders: Encoders,
): Health {
  let picture: ReturnType<typeof canaryPicture> | undefined
  if (canary !== undefined && pictureIn(canary) === undefined)
    log.warn('DYN_HEALTH_CHECK_PAYLOAD names no image_url, so it is not for encode workers: /health asks for a picture of its own')
  return encoderHealth({
    encoders: () => encoders.own,
    engine: { kind: encoderKind(vision.encoder, model.folder), level: 'encoder', version, model: model.path },
    picture() {
      picture ??= canaryPicture(model.sight, canary, inputPolicy(input), AbortSignal.timeout(10_000)).catch((error) => {
        // Its address may answer the next time.
        picture = undefined
        throw error
      })
      return picture
    },
    freshMs: health.canaryFreshMs,
  })
}

/** Opens the port for SGLang's own language servers, where it is wanted, and tells them; resolves with its address. */
async function serveForeign(
  options: EncodeWorkerOptions,
  model: SeeingModel,
  { pool, cache }: Encoders,
  parts: Parts,
): Promise<string | undefined> {
  const { foreign } = options
  if (foreign === undefined) return undefined
  const { startGateway } = await import('../../engine/vision/gateway/gateway.ts')
  const { itemReader } = await import('../../engine/vision/gateway/items.ts')
  const { register } = await import('../../engine/vision/gateway/registration.ts')
  const { cachedEncoder } = await import('../../engine/vision/cache.ts')
  const encoder = cachedEncoder(pool, cache)
  await encoder.start()
  const { bind, host, port, registerAt, release } = foreign
  const policy = inputPolicy(options.model.input)
  noteFolder(options.model.input)
  if (model.sight.clips !== undefined) noteFfmpeg(options.model.input)
  parts.gateway = startGateway({
    encoder,
    hostname: bind,
    port,
    release,
    read: itemReader({ policy, model: model.sight, clips: clipLimits(options.model.input) }),
  })
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${new URL(parts.gateway.url).port}`
  log.info({ url, registerAt }, "serves SGLang's own language servers")
  if (registerAt.length > 0) parts.registration = register({ servers: registerAt, url, onNotice: (text) => log.info(text) })
  return url
}
