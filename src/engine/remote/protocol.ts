// What crosses the request plane between remoteEngine (engine.ts) and hostEngine (host.ts): the head that opens a stream, the messages that answer it.
import { AppError } from '../../lib/errors.ts'
import { decode, encode, tagged } from '../../transport/msgpack.ts'
import type { EmbedRequest, EngineUsage, Finish, GenerateRequest, PromptLogprobs, RowLogprobs } from '../types.ts'

/** First byte of a head. */
export const operations = { generate: 1, embed: 2, control: 3, metrics: 4, call: 5 } as const

/** First byte of a message. Rows: the ids as i32, little endian. */
export const messages = { rows: 1, rowsWithLogprobs: 2, promptLogprobs: 3, finish: 4, value: 5, vector: 6 } as const

const empty = new Uint8Array(0)

/** kind, how many ids, the ids, then the other fields as a map. */
export function encodeGenerate(request: GenerateRequest): Uint8Array {
  const { promptIds, ...rest } = request
  return join(operations.generate, promptIds, encode(rest))
}

/** Throws AppError `engine_rejected` on what is no such head, as do the other decoders of heads. */
export function decodeGenerate(head: Uint8Array): GenerateRequest {
  const [promptIds, rest] = split(head)
  if (!isMap(rest.sampling)) throw unreadable('it has no sampling')
  return { ...(rest as unknown as Omit<GenerateRequest, 'promptIds'>), promptIds }
}

export function encodeEmbed(request: EmbedRequest): Uint8Array {
  const { promptIds, ...rest } = request
  return join(operations.embed, promptIds, encode(rest))
}

export function decodeEmbed(head: Uint8Array): EmbedRequest {
  const [promptIds, rest] = split(head)
  return { ...(rest as unknown as Omit<EmbedRequest, 'promptIds'>), promptIds }
}

/** `control`, `metrics` and `call`: a name and its arguments. */
export function encodeNamed(operation: number, name: string, args: unknown): Uint8Array {
  return tagged(operation, encode([name, args]))
}

export function decodeNamed(head: Uint8Array): [name: string, args: Record<string, unknown>] {
  const pair = unpacked(head.subarray(1))
  const [name, args] = Array.isArray(pair) ? (pair as unknown[]) : []
  if (typeof name !== 'string' || !isMap(args)) throw unreadable('it has no name and arguments')
  return [name, args]
}

/** The body of a message that is one msgpack value. */
export function encodeBody(kind: number, value: unknown): Uint8Array {
  return tagged(kind, encode(value ?? null))
}

export function decodeBody(message: Uint8Array): unknown {
  return decode(message.subarray(1))
}

export function encodePromptLogprobs(logprobs: PromptLogprobs): Uint8Array {
  return encodeBody(messages.promptLogprobs, logprobs)
}

export function encodeFinish(finish: Finish, usage: EngineUsage): Uint8Array {
  return encodeBody(messages.finish, [finish, usage])
}

export function decodeFinish(message: Uint8Array): [Finish, EngineUsage] {
  return decodeBody(message) as [Finish, EngineUsage]
}

/** kind, how many prompt tokens, the values as f32. */
export function encodeVector(vector: Float32Array, promptTokens: number): Uint8Array {
  const out = new Uint8Array(5 + vector.length * 4)
  out[0] = messages.vector
  new DataView(out.buffer).setUint32(1, promptTokens, true)
  out.set(new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength), 5)
  return out
}

export function decodeVector(message: Uint8Array): { vector: Float32Array; promptTokens: number } {
  const bytes = message.slice(5)
  const promptTokens = new DataView(message.buffer, message.byteOffset).getUint32(1, true)
  return { vector: new Float32Array(bytes.buffer, 0, bytes.length >> 2), promptTokens }
}

/** Makes the messages of rows in memory of its own: each call's bytes are good until the next. */
export class RowWriter {
  private bytes = new Uint8Array(256)
  private readonly views: (Uint8Array | undefined)[] = []

  rows(ids: Int32Array, start: number, end: number): Uint8Array {
    const size = 1 + 4 * (end - start)
    if (size > this.bytes.length) this.grow(size)
    const out = this.bytes
    out[0] = messages.rows
    for (let i = start, at = 1; i < end; i++) {
      const id = ids[i]!
      out[at++] = id
      out[at++] = id >>> 8
      out[at++] = id >>> 16
      out[at++] = id >>> 24
    }
    const view = this.views[size] ?? out.subarray(0, size)
    this.views[size] = view
    return view
  }

  private grow(size: number): void {
    this.bytes = new Uint8Array(size * 2)
    this.views.length = 0
  }
}

/** kind, how many ids, the ids, then the log-probabilities as a map. */
export function encodeRowsWithLogprobs(ids: Int32Array, start: number, end: number, logprobs: RowLogprobs): Uint8Array {
  return join(messages.rowsWithLogprobs, ids.subarray(start, end), encode(logprobs))
}

/** Reads rows into memory of its own, which is used again by the next call. */
export class RowReader {
  ids = new Int32Array(256)
  private idBytes = new Uint8Array(this.ids.buffer)
  logprobs: RowLogprobs | undefined

  /** Of a `rows` or `rowsWithLogprobs` message: returns how many ids there are, in `ids`. */
  read(message: Uint8Array): number {
    this.logprobs = undefined
    if (message[0] === messages.rows) return this.copy(message, 1, (message.length - 1) >> 2)
    const count = countAt(message)
    this.logprobs = decode(message.subarray(5 + 4 * count)) as RowLogprobs
    return this.copy(message, 5, count)
  }

  private copy(message: Uint8Array, from: number, count: number): number {
    if (count > this.ids.length) {
      this.ids = new Int32Array(count * 2)
      this.idBytes = new Uint8Array(this.ids.buffer)
    }
    const { idBytes } = this
    if (count > 32) idBytes.set(message.subarray(from, from + 4 * count))
    else for (let i = 0; i < 4 * count; i++) idBytes[i] = message[from + i]!
    return count
  }
}

function join(kind: number, ids: Uint32Array | Int32Array, rest: Uint8Array): Uint8Array {
  const out = new Uint8Array(5 + ids.byteLength + rest.length)
  out[0] = kind
  new DataView(out.buffer).setUint32(1, ids.length, true)
  out.set(new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength), 5)
  out.set(rest, 5 + ids.byteLength)
  return out
}

function countAt(bytes: Uint8Array): number {
  const count = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(1, true)
  if (5 + 4 * count > bytes.length) throw unreadable(`${count} ids in ${bytes.length} bytes`)
  return count
}

/** Ids in memory of their own, and the map behind them. */
function split(head: Uint8Array): [Uint32Array, Record<string, unknown>] {
  if (head.length < 5) throw unreadable('it is cut short')
  const count = countAt(head)
  const ids = count === 0 ? empty : head.slice(5, 5 + 4 * count)
  const rest = unpacked(head.subarray(5 + 4 * count))
  if (!isMap(rest) || typeof rest.requestId !== 'string') throw unreadable('it has no requestId')
  return [new Uint32Array(ids.buffer, ids.byteOffset, count), rest]
}

function unpacked(bytes: Uint8Array): unknown {
  try {
    return decode(bytes)
  } catch (cause) {
    throw unreadable((cause as Error).message)
  }
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function unreadable(why: string): AppError {
  return new AppError('engine_rejected', {
    message: `The worker cannot read this request (${why}); does the frontend run another version?`,
  })
}
