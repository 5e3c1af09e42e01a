// Frontends and workers of images and videos as processes of their own, with the mock engine; what frontends keep lies in a folder that ends with `stop`.
import { mkdtempSync } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../run-request.ts'
import { type Fleet, type FleetFrontend, type FleetWorker, startFleet } from './fleet.ts'

export interface MediaFleet extends Omit<Fleet, 'frontend'> {
  readonly imageModel: string
  readonly videoModel: string
  /** Its files and jobs lie in `folder`. */
  frontend(args?: string[], env?: Record<string, string>): Promise<FleetFrontend & { files(): Promise<string[]> }>
  /** A step of a small picture takes milliseconds, of a large one a tenth of a second: `--speedup-ratio` says otherwise. */
  image(args?: string[], env?: Record<string, string>): Promise<FleetWorker>
  video(args?: string[], env?: Record<string, string>): Promise<FleetWorker>
}

export function startMediaFleet(env?: Record<string, string>): MediaFleet {
  const fleet = startFleet(env)
  const folder = mkdtempSync(join(tmpdir(), 'media-fleet-'))
  const [imageModel, videoModel] = ['models/tiny-FLUX.1-dev', 'models/tiny-Wan2.1-T2V-1.3B']
  let fronts = 0
  return {
    ...fleet,
    imageModel,
    videoModel,
    async frontend(args = [], more = {}) {
      const own = join(folder, String(++fronts))
      const files = join(own, 'files')
      const front = await fleet.frontend(args, {
        ...{ DYN_MEDIA_OUTPUT_FS_URL: `file://${files}`, DYN_MEDIA_JOBS_FOLDER: join(own, 'jobs') },
        ...more,
      })
      const names = async () =>
        (await readdir(files, { recursive: true, withFileTypes: true }).catch(() => [])).filter((one) => one.isFile())
      return { ...front, files: async () => (await names()).map((one) => one.name).sort() }
    },
    image: (args = [], more = {}) =>
      fleet.worker(['--speedup-ratio', '1', '--image-diffusion-worker', '--model-path', imageModel, ...args], more),
    video: (args = [], more = {}) => fleet.worker(['--video-generation-worker', '--model-path', videoModel, ...args], more),
    async stop() {
      await fleet.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

export const postJson = (url: string, path: string, body: object, init: RequestInit = {}) =>
  fetch(`${url}${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body), ...init })

interface WorkerState {
  id: string
  ready: boolean
  inFlight: number
}

/** The workers that a frontend knows, as its /health tells them. */
export async function workersOf(url: string): Promise<WorkerState[]> {
  return ((await (await fetch(`${url}/health`)).json()) as { workers: WorkerState[] }).workers
}

export const untilReady = (url: string, workers: number) =>
  until(`${workers} workers are ready`, async () => (await workersOf(url)).filter(({ ready }) => ready).length === workers)
