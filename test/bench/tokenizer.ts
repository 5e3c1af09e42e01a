// µs of CPU for each encode and each streamed token, ours beside the native library's, in turns: `bun test/bench/tokenizer.ts [FOLDER]`
// (a folder with a tokenizer.json; models/tiny-llm by default). CPU is user and system time of the whole process, pool threads included.

import { loadavg } from 'node:os'
import { join } from 'node:path'
import { corpus } from '../../models/corpus.ts'
import { uniform } from '../../models/random.ts'
import { effectiveJson } from '../../src/tokenizer/effective-json.ts'
import { loadTokenizer } from '../../src/tokenizer/hf.ts'
import { nativeTokenizer } from '../../src/tokenizer/native.ts'

const folder = process.argv[2] ?? join(import.meta.dir, '../../models/tiny-llm')
const json = effectiveJson(await Bun.file(join(folder, 'tokenizer.json')).json(), {})

const rss = () => Math.round(process.memoryUsage().rss / 1e6)
const before = { rss: rss(), at: performance.now() }
const ours = await loadTokenizer(folder)
const loaded = { ms: performance.now() - before.at, mb: rss() - before.rss }
const nativeAt = performance.now()
const native = await nativeTokenizer(json)
console.log(
  `${folder}: ours loads in ${loaded.ms.toFixed(0)} ms (+${loaded.mb} MB), native in ${(performance.now() - nativeAt).toFixed(0)} ms; load ${loadavg()[0]!.toFixed(1)}`,
)

async function cpuMicros(times: number, work: (i: number) => unknown): Promise<number> {
  Bun.gc(true)
  const start = process.cpuUsage()
  for (let i = 0; i < times; i++) {
    const result = work(i)
    if (result instanceof Promise) await result
  }
  const { user, system } = process.cpuUsage(start)
  return (user + system) / times
}

const next = uniform(9)
const vocabulary = corpus.match(/\w+/g)!
/** Prose of about `tokens` tokens; each call another one. */
function prose(tokens: number): string {
  let text = ''
  for (let i = 0; i < tokens * 0.85; i++)
    text += `${i === 0 ? '' : i % 11 === 0 ? ', ' : ' '}${vocabulary[Math.floor(next() * vocabulary.length)]}`
  return text
}

const rows: Record<string, Record<string, string>> = {}
for (const [tokens, times] of [
  [40, 3000],
  [300, 1000],
  [4700, 100],
] as const) {
  const texts = Array.from({ length: times }, () => prose(tokens))
  const shared = prose(tokens * 0.97)
  const prefixed = texts.map((text) => `${shared} ${text.slice(0, Math.max(8, text.length * 0.03))}`)
  const count = (await ours.encode(texts[0]!, false)).length
  for (let i = 0; i < 50; i++) await native.encode(texts[i % times]!, false)
  rows[`${count} tokens`] = {
    'native, other texts': (await cpuMicros(times / 2, (i) => native.encode(texts[i]!, false))).toFixed(1),
    'ours, other texts': (await cpuMicros(times, (i) => ours.encode(texts[i]!, false))).toFixed(1),
    'ours, 97 % shared': (await cpuMicros(times, (i) => ours.encode(prefixed[i]!, false))).toFixed(1),
    'ours, same text': (await cpuMicros(times, () => ours.encode(shared, false))).toFixed(1),
  }
}
console.log('µs of CPU for one encode')
console.table(rows)

// Words that were never seen: nothing is in any cache.
const unseen = Array.from({ length: 20 }, () =>
  Array.from({ length: 2300 }, () =>
    Math.floor(next() * 2 ** 40)
      .toString(36)
      .replace(/\d/g, 'q'),
  ).join(' '),
)
const fresh = await loadTokenizer(folder)
console.log(
  `unseen words, ${(await native.encode(unseen[0]!, false)).length} tokens: ours ${(await cpuMicros(10, (i) => fresh.encode(unseen[i]!, false))).toFixed(0)} µs,`,
  `native ${(await cpuMicros(10, (i) => native.encode(unseen[i + 10]!, false))).toFixed(0)} µs`,
)

const ids = await ours.encode(`${prose(9000)} 日本語の文章です。👩‍👩‍👧 Grüße `.repeat(3), false)
for (let round = 0; round < 3; round++) {
  const decoder = ours.stream(true)
  const micros = await cpuMicros(20, () => {
    for (let i = 0; i < ids.length; i++) decoder.push(ids[i]!)
  })
  console.log(`streamed decode: ${((micros * 1000) / ids.length).toFixed(1)} ns a token`)
}
