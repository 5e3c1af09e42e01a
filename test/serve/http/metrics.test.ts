// Several engines' metrics as one text that Prometheus accepts: each family once, samples told apart by worker.
import { expect, test } from 'bun:test'
import { mergeMetrics } from '../../../src/serve/http/metrics.ts'

test('families are merged and samples labelled', () => {
  const text = (value: number) =>
    `# HELP sglang:running Running requests\n# TYPE sglang:running gauge\nsglang:running{model="m"} ${value}\n# HELP up Up\n# TYPE up gauge\nup 1\n`
  expect(
    mergeMetrics([
      { id: 'a', text: text(1) },
      { id: 'b', text: text(2) },
    ]),
  ).toBe(
    [
      '# HELP sglang:running Running requests',
      '# TYPE sglang:running gauge',
      'sglang:running{worker_id="a",model="m"} 1',
      'sglang:running{worker_id="b",model="m"} 2',
      '# HELP up Up',
      '# TYPE up gauge',
      'up{worker_id="a"} 1',
      'up{worker_id="b"} 1',
      '',
    ].join('\n'),
  )
})
