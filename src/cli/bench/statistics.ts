// Numbers of many samples: exact ones for what happens once a request, a log histogram for what happens once a token.

export interface Summary {
  count: number
  mean: number
  p50: number
  p90: number
  p99: number
  max: number
}

/** Percentiles by nearest rank, of all samples. */
export function summarize(samples: readonly number[]): Summary {
  const sorted = Float64Array.from(samples).sort()
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
  const sum = sorted.reduce((total, value) => total + value, 0)
  return {
    count: sorted.length,
    mean: sorted.length === 0 ? 0 : sum / sorted.length,
    p50: at(0.5),
    p90: at(0.9),
    p99: at(0.99),
    max: at(1),
  }
}

const perDoubling = 64
const smallest = 0.001
const bins = perDoubling * 40

/** Any number of samples in bounded memory; percentiles are right to about 1 %. */
export class LogHistogram {
  private readonly counts = new Float64Array(bins)
  private count = 0
  private sum = 0
  private max = 0

  add(value: number): void {
    const bin = value <= smallest ? 0 : Math.min(bins - 1, 1 + Math.floor(Math.log2(value / smallest) * perDoubling))
    this.counts[bin]!++
    this.count++
    this.sum += value
    if (value > this.max) this.max = value
  }

  summary(): Summary {
    const { count, max } = this
    return { count, mean: count === 0 ? 0 : this.sum / count, p50: this.at(0.5), p90: this.at(0.9), p99: this.at(0.99), max }
  }

  private at(share: number): number {
    let left = Math.ceil(share * this.count)
    if (left === 0) return 0
    for (let bin = 0; bin < bins; bin++) {
      left -= this.counts[bin]!
      if (left <= 0) return bin === 0 ? 0 : Math.min(this.max, smallest * 2 ** ((bin - 0.5) / perDoubling))
    }
    return this.max
  }
}
