// The process's Prometheus families, under Dynamo's names where it has them, and a histogram cheap enough for every token.
import Counter from 'prom-client/lib/counter.js'
import Gauge from 'prom-client/lib/gauge.js'
import Registry from 'prom-client/lib/registry.js'

export const registry = new Registry()

/** Upper bounds in seconds, from `first`, `perDecade` a decade, up to `last`. */
function decades(first: number, last: number, steps: readonly number[]): number[] {
  const bounds: number[] = []
  for (let base = first; base <= last; base *= 10)
    for (const step of steps) if (base * step <= last) bounds.push(Number((base * step).toPrecision(3)))
  return bounds
}

/**
 * A histogram of one label set per child: `observe` is a search over a typed array, with no object made.
 * prom-client's own costs 0.5 µs an observation; this one about 20 ns.
 */
class FastHistogram {
  readonly name: string
  readonly help: string
  readonly bounds: Float64Array
  readonly #children = new Map<string, HistogramChild>()

  constructor(name: string, help: string, bounds: readonly number[]) {
    this.name = name
    this.help = help
    this.bounds = Float64Array.from(bounds)
    // Shown through a gauge-shaped collector: prom-client only needs `get` and a name.
    registry.registerMetric({ name, help, get: () => this.#snapshot(), reset: () => this.#children.clear() } as never)
  }

  /** The child for one model; keep it, do not look it up per token. */
  model(model: string): HistogramChild {
    let child = this.#children.get(model)
    if (child === undefined) {
      child = new HistogramChild(this.bounds)
      this.#children.set(model, child)
    }
    return child
  }

  async #snapshot() {
    const values: { labels: Record<string, string | number>; value: number; metricName: string }[] = []
    for (const [model, child] of this.#children) {
      let total = 0
      for (let i = 0; i < child.counts.length; i++) {
        total += child.counts[i]!
        values.push({
          labels: { model, le: i < this.bounds.length ? this.bounds[i]! : '+Inf' },
          value: total,
          metricName: `${this.name}_bucket`,
        })
      }
      values.push({ labels: { model }, value: child.sum, metricName: `${this.name}_sum` })
      values.push({ labels: { model }, value: total, metricName: `${this.name}_count` })
    }
    return { name: this.name, help: this.help, type: 'histogram', values, aggregator: 'sum' }
  }
}

export class HistogramChild {
  readonly counts: Float64Array
  sum = 0
  readonly #bounds: Float64Array

  constructor(bounds: Float64Array) {
    this.#bounds = bounds
    this.counts = new Float64Array(bounds.length + 1)
  }

  observe(value: number): void {
    const bounds = this.#bounds
    let low = 0
    let high = bounds.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (value <= bounds[middle]!) high = middle
      else low = middle + 1
    }
    this.counts[low]!++
    this.sum += value
  }
}

const registers = [registry]
const seconds = decades(0.001, 100, [1, 2, 5])
const tokens = [1, 4, 16, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072]

export const requestsStarted = new Counter({
  name: 'dynamo_frontend_requests_started_total',
  help: 'Requests whose head was read',
  labelNames: ['model', 'endpoint', 'request_type'],
  registers,
})
export const requestsTotal = new Counter({
  name: 'dynamo_frontend_requests_total',
  help: 'Requests answered; status is success or error, error_type the error code',
  labelNames: ['model', 'endpoint', 'request_type', 'status', 'error_type'],
  registers,
})
export const inflightRequests = new Gauge({
  name: 'dynamo_frontend_inflight_requests',
  help: 'Requests between their first byte in and their last byte out',
  labelNames: ['model'],
  registers,
})
export const queuedRequests = new Gauge({
  name: 'dynamo_frontend_queued_requests',
  help: 'Requests that have no token yet',
  labelNames: ['model'],
  registers,
})
export const disconnectedClients = new Gauge({
  name: 'dynamo_frontend_disconnected_clients',
  help: 'Clients that left before their answer was whole, since the start',
  registers,
})
export const outputTokens = new Counter({
  name: 'dynamo_frontend_output_tokens_total',
  help: 'Tokens produced',
  labelNames: ['model'],
  registers,
})
export const cachedTokens = new Counter({
  name: 'dynamo_frontend_cached_tokens_total',
  help: 'Prompt tokens that the engine had in its cache',
  labelNames: ['model'],
  registers,
})
export const migrations = new Counter({
  name: 'migrations_total',
  help: 'Attempts that went on with a request after its worker failed; reason is the failure',
  labelNames: ['model', 'reason'],
  registers,
})
export const modelContextLength = new Gauge({
  name: 'dynamo_frontend_model_context_length',
  help: 'Context of a served model, in tokens',
  labelNames: ['model'],
  registers,
})
export const modelKvBlockSize = new Gauge({
  name: 'dynamo_frontend_model_kv_cache_block_size',
  help: 'Tokens in a KV block of a served model',
  labelNames: ['model'],
  registers,
})
export const modelTotalKvBlocks = new Gauge({
  name: 'dynamo_frontend_model_total_kv_blocks',
  help: 'KV blocks of a served model, all ranks',
  labelNames: ['model'],
  registers,
})
export const engineReady = new Gauge({
  name: 'dynamo_component_engine_ready',
  help: '1 when the worker takes requests',
  labelNames: ['worker_id'],
  registers,
})
export const engineRestarts = new Counter({
  name: 'dynamo_component_engine_restarts_total',
  help: 'Times that a dead engine was started again',
  labelNames: ['worker_id'],
  registers,
})

const slotLabels = ['worker_id', 'dp_rank'] as const

/** Called at each scrape to fill the router's families, which are empty then (router/load/figures.ts): nothing is counted twice while requests run. */
export const routerScrapes = new Set<() => void>()

export const routerRequests = new Counter({
  name: 'dynamo_component_router_requests_total',
  help: 'Requests placed on a rank',
  labelNames: slotLabels,
  registers,
  collect() {
    for (const family of [routerRequests, routerPromptBlocks, routerOverlapBlocks, workerPrefillTokens, workerDecodeBlocks, workerRequests])
      family.reset()
    for (const family of [routerQueue, routerIndexBlocks, routerIndexBytes]) family.set(0)
    for (const fill of routerScrapes) fill()
  },
})
export const routerPromptBlocks = new Counter({
  name: 'dynamo_component_router_prompt_blocks_total',
  help: 'KV blocks of the prompts placed on a rank',
  labelNames: slotLabels,
  registers,
})
export const routerOverlapBlocks = new Counter({
  name: 'dynamo_component_router_overlap_blocks_total',
  help: 'Of these, blocks that the rank was believed to hold',
  labelNames: slotLabels,
  registers,
})
export const workerPrefillTokens = new Gauge({
  name: 'dynamo_frontend_worker_active_prefill_tokens',
  help: 'Prompt tokens booked on a rank and not computed yet',
  labelNames: slotLabels,
  registers,
})
export const workerDecodeBlocks = new Gauge({
  name: 'dynamo_frontend_worker_active_decode_blocks',
  help: 'KV blocks booked on a rank',
  labelNames: slotLabels,
  registers,
})
export const workerRequests = new Gauge({
  name: 'dynamo_frontend_worker_active_requests',
  help: 'Requests booked on a rank',
  labelNames: slotLabels,
  registers,
})
export const routerQueue = new Gauge({
  name: 'dynamo_frontend_router_queue_pending_requests',
  help: 'Requests that wait for room on a worker',
  registers,
})
export const routerIndexBlocks = new Gauge({
  name: 'dynamo_component_router_index_blocks',
  help: 'Blocks that the KV index knows, counted once for each rank that holds them',
  registers,
})
export const routerIndexBytes = new Gauge({
  name: 'dynamo_component_router_index_bytes',
  help: 'Memory of the KV index',
  registers,
})

export const timeToFirstToken = new FastHistogram(
  'dynamo_frontend_time_to_first_token_seconds',
  'From the request head to the first token',
  seconds,
)
export const interTokenLatency = new FastHistogram(
  'dynamo_frontend_inter_token_latency_seconds',
  'Between two rows of one answer, by token',
  decades(0.0001, 10, [1, 2, 5]),
)
export const requestDuration = new FastHistogram(
  'dynamo_frontend_request_duration_seconds',
  'From the request head to the last byte',
  seconds,
)
export const inputTokens = new FastHistogram('dynamo_frontend_input_sequence_tokens', 'Prompt length', tokens)
export const outputLength = new FastHistogram('dynamo_frontend_output_sequence_tokens', 'Answer length', tokens)
export const routerOverhead = new FastHistogram(
  'dynamo_router_overhead_total_ms',
  'Time to place a request: hashing, lookup, choice and booking, without waiting in the queue',
  decades(0.001, 100, [1, 2, 5]),
)
export const routerHitRate = new FastHistogram(
  'dynamo_component_router_kv_hit_rate',
  'Part of a prompt that the chosen rank was believed to hold, 0 to 1',
  [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1],
)
