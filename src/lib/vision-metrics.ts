// Prometheus families of vision: the embedding cache under Dynamo's names (dynamo 1.6.1 common/utils/prometheus.py), and the encoders behind it. Loaded by processes that
// encode pictures.
import Counter from 'prom-client/lib/counter.js'
import Gauge from 'prom-client/lib/gauge.js'
import { registry } from './metrics.ts'

const registers = [registry]

/** Called at each scrape to fill the families. */
export const visionScrapes = new Set<() => void>()

const prefix = 'dynamo_component_embedding_cache'
function family(name: string, help: string, labelNames: string[] = ['model']): Gauge<string> {
  return new Gauge({ name, help, labelNames, registers })
}

/** Read from counts of others: emptied before each scrape and filled again. */
function total(name: string, help: string, labelNames: string[] = ['model']): Counter<string> {
  return new Counter({ name, help, labelNames, registers })
}

export const cacheHits = new Counter({
  name: `${prefix}_hits_total`,
  help: 'Pictures whose embeddings were in the cache',
  labelNames: ['model'],
  registers,
  collect() {
    for (const each of all) each.reset()
    for (const fill of visionScrapes) fill()
  },
})
export const cacheMisses = total(`${prefix}_misses_total`, 'Pictures that had to be encoded')
export const cacheJoined = total(`${prefix}_joined_total`, 'Pictures that waited for the encode of an equal one')
export const cacheEvictions = total(`${prefix}_evictions_total`, 'Embeddings that left the cache for newer ones')
export const cacheUtilization = family(`${prefix}_utilization`, 'Part of the capacity that is used, 0 to 1')
export const cacheBytes = family(`${prefix}_current_bytes`, 'Bytes of the embeddings in the cache')
export const cacheEntries = family(`${prefix}_entries`, 'Pictures in the cache')
export const encoderPatches = family('dynamo_component_vision_encoder_patches', 'Patches waiting and running', ['model', 'encoder'])
export const encoderReady = family('dynamo_component_vision_encoder_ready', '1 when it takes pictures', ['model', 'encoder'])
export const encoderPictures = total('dynamo_component_vision_encoder_pictures_total', 'Pictures encoded', ['model', 'encoder'])
export const encoderFailures = total(
  'dynamo_component_vision_encoder_failures_total',
  'Attempts that failed or took too long, and deaths',
  ['model', 'encoder'],
)
export const encoderSeconds = total('dynamo_component_vision_encoder_seconds_total', 'Time from question to rows', ['model', 'encoder'])

const all = [
  cacheHits,
  cacheMisses,
  cacheJoined,
  cacheEvictions,
  cacheUtilization,
  cacheBytes,
  cacheEntries,
  encoderPatches,
  encoderReady,
  encoderPictures,
  encoderFailures,
  encoderSeconds,
]
