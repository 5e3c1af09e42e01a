// Prometheus families of images and videos; loaded by processes that make some.
import Counter from 'prom-client/lib/counter.js'
import Gauge from 'prom-client/lib/gauge.js'
import { registry } from './metrics.ts'

const registers = [registry]

/** Called at each scrape to fill the gauges. */
export const mediaScrapes = new Set<() => void>()

export const mediaQueued = new Gauge({
  name: 'dynamo_component_media_queued_jobs',
  help: 'Images and videos that wait for their turn in an engine',
  labelNames: ['worker_id'],
  registers,
  collect() {
    for (const family of [mediaQueued, mediaRunning, mediaEncoding, videoJobs]) family.reset()
    for (const fill of mediaScrapes) fill()
  },
})
export const mediaRunning = new Gauge({
  name: 'dynamo_component_media_running_jobs',
  help: 'Images and videos inside an engine',
  labelNames: ['worker_id'],
  registers,
})
export const mediaEncoding = new Gauge({
  name: 'dynamo_component_media_encoding_jobs',
  help: 'Images and videos that the engine is done with and that are being written as files',
  labelNames: ['worker_id'],
  registers,
})
export const videoJobs = new Gauge({
  name: 'dynamo_component_media_video_jobs',
  help: 'Jobs of POST /v1/videos that are remembered, by what became of them',
  labelNames: ['status'],
  registers,
})
export const mediaSteps = new Counter({
  name: 'dynamo_component_media_steps_total',
  help: 'Denoising steps; their rate is steps a second',
  labelNames: ['model', 'worker_id'],
  registers,
})
export const mediaJobs = new Counter({
  name: 'dynamo_component_media_jobs_total',
  help: 'Images and videos asked of an engine that were finished',
  labelNames: ['model', 'worker_id'],
  registers,
})
export const mediaFailures = new Counter({
  name: 'dynamo_component_media_failures_total',
  help: 'Those that were not, by the error code; client_closed_request: cancelled',
  labelNames: ['model', 'worker_id', 'reason'],
  registers,
})
export const mediaSeconds = new Counter({
  name: 'dynamo_component_media_stage_seconds_total',
  help: 'Where the time of finished jobs went: queued, engine (text, denoise, decode and copy of it, as far as it tells), encode (what of it is after the engine), total',
  labelNames: ['model', 'worker_id', 'stage'],
  registers,
})
export const mediaStored = new Counter({
  name: 'dynamo_component_media_stored_bytes_total',
  help: 'Bytes of finished files that were stored',
  registers,
})
export const mediaStoreFailures = new Counter({
  name: 'dynamo_component_media_store_failures_total',
  help: 'Files that could not be stored',
  registers,
})
