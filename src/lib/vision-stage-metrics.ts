// The Prometheus family of vision-stages.ts.
import Histogram from 'prom-client/lib/histogram.js'
import { registry } from './metrics.ts'

export const stageSeconds = new Histogram({
  name: 'dynamo_component_vision_stage_seconds',
  help: 'Time that a part of the way of a picture or clip took',
  labelNames: ['model', 'stage'],
  buckets: [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100],
  registers: [registry],
})
