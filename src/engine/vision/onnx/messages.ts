// What the encoder and its process say to each other over stdin and stdout: u32 length of the head, u32 length of the body (little endian), the head as
// JSON, the body as bytes. Files go in and rows come out as bodies; pixels never leave the process.
import type { Backend } from '../../../media/vision/vision.ts'
import type { EmbeddingType } from '../vision.ts'
import type { VisionDevice } from './runtime.ts'
import type { TowerFacts } from './tower-file.ts'

/** Whose attention over clips is followed, where they differ (process.ts). */
export type Clips = 'sglang' | 'transformers'

export interface Opening {
  /** File of export-vision. */
  tower: string
  /** Folder with the model's config.json and preprocessor_config.json. */
  modelPath: string
  /** `auto`: WebGPU where there is a GPU, else the CPU. */
  device: VisionDevice | 'auto'
  threads: number
  type: EmbeddingType
  backend: Backend
  clips: Clips
  /** Of a file, before it is decoded. */
  maxPixels: number
}

export interface Task {
  id: number
  kind: 'image' | 'video'
  grid: readonly [number, number, number]
  /** Bytes of each of its files in the body: one picture, or the frames of a clip. */
  sizes: readonly number[]
}

export type ToProcess =
  | ({ kind: 'open' } & Opening)
  /** All of the same grid; the files of all follow each other in the body. Each is answered by `rows` or `failed`. */
  | { kind: 'batch'; tasks: readonly Task[] }
  /** Nobody waits any more; still answered, by `failed`, unless it was too late. */
  | { kind: 'drop'; id: number }

export interface Opened {
  facts: TowerFacts
  device: VisionDevice
  fused: boolean
  /** ONNX Runtime's version. */
  runtime: string
  /** What the preprocessing depends on (VisionModel.settings). */
  settings: string
  /** Of a small picture, in milliseconds. */
  msPerPatch: number
}

/** Milliseconds of a picture; `encode` is that of its whole batch. */
export interface Stages {
  decode: number
  preprocess: number
  encode: number
}

export type FromProcess =
  | ({ kind: 'open' } & Opened)
  | { kind: 'refused'; code: string; message: string; param: string | null }
  /** Body: the rows. */
  | { kind: 'rows'; id: number; rows: number; grid: readonly [number, number, number]; itemHash: string; stages: Stages }
  | { kind: 'failed'; id: number; code: string; message: string }

const headBytes = 8
const maxHeadBytes = 1 << 20

/** Parts to be written one after another. */
export function frame(head: ToProcess | FromProcess, body: readonly Uint8Array[] = []): Uint8Array[] {
  const json = new TextEncoder().encode(JSON.stringify(head))
  const start = new Uint8Array(headBytes + json.length)
  const view = new DataView(start.buffer)
  view.setUint32(0, json.length, true)
  view.setUint32(
    4,
    body.reduce((sum, part) => sum + part.length, 0),
    true,
  )
  start.set(json, headBytes)
  return [start, ...body]
}

/** Messages of a stream of chunks, in order. Bodies are memory of their own. Throws when what comes is no message. */
export async function* messages<T extends ToProcess | FromProcess>(
  stream: AsyncIterable<Uint8Array>,
): AsyncGenerator<{ head: T; body: Uint8Array }> {
  let part = new Uint8Array(headBytes)
  let filled = 0
  let step: 'sizes' | 'head' | 'body' = 'sizes'
  let bodyBytes = 0
  let head: T | undefined
  for await (const chunk of stream) {
    for (let at = 0; at < chunk.length || (step === 'body' && filled === part.length); ) {
      const take = Math.min(part.length - filled, chunk.length - at)
      part.set(chunk.subarray(at, at + take), filled)
      filled += take
      at += take
      if (filled < part.length) continue
      filled = 0
      if (step === 'sizes') {
        const view = new DataView(part.buffer)
        const size = view.getUint32(0, true)
        if (size === 0 || size > maxHeadBytes) throw new Error(`a message with a head of ${size} bytes`)
        bodyBytes = view.getUint32(4, true)
        part = new Uint8Array(size)
        step = 'head'
      } else if (step === 'head') {
        head = JSON.parse(new TextDecoder().decode(part)) as T
        part = new Uint8Array(bodyBytes)
        step = 'body'
      } else {
        yield { head: head!, body: part }
        part = new Uint8Array(headBytes)
        step = 'sizes'
      }
    }
  }
}
