// A Mooncake trace (github.com/kvcache-ai/Mooncake, FAST25 release, Apache-2.0): arrival times and prefix hashes of 512 tokens each, as prompts of token ids.
export interface TraceRequest {
  /** Arrival, in ms after the first. */
  atMs: number
  promptIds: Uint32Array
  outputTokens: number
}

/** One line of the file. */
export interface TraceLine {
  timestamp: number
  input_length: number
  output_length: number
  hash_ids: number[]
}

export interface TraceShape {
  /** Times are divided by this. */
  speed: number
  requests: number
  skip: number
  /** Tokens that stand for one 512-token block of the trace. */
  unitTokens: number
  mostOutput: number
}

/** `shared/tools/trace/replay.py`'s settings for which Dynamo's figures are known: 128 words a block are about 149 tokens of its model. */
export const referenceShape: TraceShape = { speed: 15, requests: 2500, skip: 0, unitTokens: 149, mostOutput: 32 }

/** The trace as it is; `path` may be packed with xz. */
export async function readLines(path: string): Promise<TraceLine[]> {
  const text = path.endsWith('.xz') ? await new Response(Bun.spawn(['xz', '-dc', path]).stdout).text() : await Bun.file(path).text()
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as TraceLine)
}

/** Equal hashes become equal ids; the end of each prompt is its own. `path` may be packed with xz. */
export async function readTrace(path: string, shape: TraceShape): Promise<TraceRequest[]> {
  const lines = (await readLines(path)).slice(shape.skip, shape.skip + shape.requests)
  const start = lines[0]!.timestamp
  const units = new Map<number, Uint32Array>()
  return lines.map((line, i) => {
    const whole = line.hash_ids.slice(0, -1)
    const tail = Math.max(1, Math.floor((shape.unitTokens * (line.input_length % 512)) / 512))
    const promptIds = new Uint32Array(whole.length * shape.unitTokens + tail)
    whole.forEach((hash, k) => {
      const ids = units.get(hash) ?? idsOf(hash, shape.unitTokens)
      units.set(hash, ids)
      promptIds.set(ids, k * shape.unitTokens)
    })
    promptIds.set(idsOf(1_000_000_000 + i, tail), whole.length * shape.unitTokens)
    const outputTokens = Math.max(1, Math.min(shape.mostOutput, Math.floor((line.output_length * 128) / 512)))
    return { atMs: (line.timestamp - start) / shape.speed, promptIds, outputTokens }
  })
}

function idsOf(seed: number, count: number): Uint32Array {
  let state = (Math.imul(seed, 2654435761) ^ 0x9e3779b9) >>> 0
  return Uint32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return 10 + ((state >>> 8) % 4000)
  })
}
