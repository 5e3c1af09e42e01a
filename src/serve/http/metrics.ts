// GET /metrics: our families, then what the engines say about themselves.
import { registry } from '../../lib/metrics.ts'
import type { Worker } from '../../router/workers.ts'

/** A scrape must not hang on a hanging engine. */
const ENGINE_MS = 2000

/** Prometheus text. An engine that does not answer is left out. */
export async function metricsText(workers: readonly Worker[]): Promise<string> {
  const own = await registry.metrics()
  const all = await Promise.all(
    workers.map(({ id, engine }) =>
      inTime(engine.metrics()).then(
        (text) => ({ id, text }),
        () => ({ id, text: '' }),
      ),
    ),
  )
  const texts = all.filter(({ text }) => text !== '')
  // One engine's text goes on as it is; several need a label that tells them apart.
  const engines = texts.length < 2 ? (texts[0]?.text ?? '') : mergeMetrics(texts)
  return `${own}${own.endsWith('\n') ? '' : '\n'}${engines}`
}

function inTime(reading: Promise<string>): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(''), ENGINE_MS)
    reading.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

interface Family {
  head: string[]
  samples: string[]
}

/** Several engines' texts as one: each family once, each sample with its worker's id. */
export function mergeMetrics(texts: readonly { id: string; text: string }[]): string {
  const families = new Map<string, Family>()
  for (const { id, text } of texts) {
    let family: Family = { head: [], samples: [] }
    for (const line of text.split('\n')) {
      if (line === '') continue
      if (line.startsWith('# ')) {
        const name = line.split(' ', 3)[2]!
        const known = families.get(name)
        family = known ?? { head: [], samples: [] }
        if (known === undefined) families.set(name, family)
        if (!family.head.some((other) => other.startsWith(line.slice(0, 7)))) family.head.push(line)
      } else family.samples.push(labelled(line, id))
    }
  }
  let merged = ''
  for (const { head, samples } of families.values()) merged += `${[...head, ...samples].join('\n')}\n`
  return merged
}

function labelled(sample: string, id: string): string {
  const brace = sample.indexOf('{')
  const label = `worker_id="${id.replace(/[\\"]/g, '\\$&')}"`
  if (brace >= 0) return `${sample.slice(0, brace + 1)}${label}${sample[brace + 1] === '}' ? '' : ','}${sample.slice(brace + 1)}`
  const space = sample.indexOf(' ')
  return `${sample.slice(0, space)}{${label}}${sample.slice(space)}`
}
