import { expect, test } from 'bun:test'
import { LogHistogram, summarize } from '../../../src/cli/bench/statistics.ts'

test('percentiles are samples of nearest rank', () => {
  const samples = Array.from({ length: 100 }, (_, i) => 100 - i)
  expect(summarize(samples)).toEqual({ count: 100, mean: 50.5, p50: 50, p90: 90, p99: 99, max: 100 })
  expect(summarize([7])).toEqual({ count: 1, mean: 7, p50: 7, p90: 7, p99: 7, max: 7 })
  expect(summarize([])).toEqual({ count: 0, mean: 0, p50: 0, p90: 0, p99: 0, max: 0 })
})

test('the histogram is within 1 % of the exact numbers, from microseconds to hours', () => {
  for (const scale of [0.01, 1, 1e6]) {
    const samples = Array.from({ length: 5000 }, (_, i) => scale * (1 + ((i * 7919) % 5000) / 100))
    const histogram = new LogHistogram()
    for (const sample of samples) histogram.add(sample)
    const [rough, exact] = [histogram.summary(), summarize(samples)]
    expect(rough.mean).toBeCloseTo(exact.mean, 3)
    expect([rough.count, rough.max]).toEqual([exact.count, exact.max])
    for (const key of ['p50', 'p90', 'p99'] as const) expect(Math.abs(rough[key] / exact[key] - 1)).toBeLessThan(0.01)
  }
})

test('gaps of nothing are nothing', () => {
  const histogram = new LogHistogram()
  expect(histogram.summary().p99).toBe(0)
  for (let i = 0; i < 10; i++) histogram.add(0)
  expect(histogram.summary()).toEqual({ count: 10, mean: 0, p50: 0, p90: 0, p99: 0, max: 0 })
})
