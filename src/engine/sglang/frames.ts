// The messages that cross between us and the bridge on the unix socket (bridge/WIRE.md): their numbers, their packing, their shapes.
import type { PadScheme } from '../../lib/media-pads.ts'
import { encode } from '../../transport/msgpack.ts'
import type { EmbedRequest, GenerateRequest, MediaItem } from '../types.ts'

export const outType = 100
export const embeddingType = 110
export const toUs = { hello: 1, ready: 2, error: 101, aborted: 102, reply: 120, load: 130, state: 140, fatal: 190 } as const
const toBridge = { helloAck: 1, generate: 10, embed: 11, abort: 12, fin: 13, call: 20, shutdown: 31 } as const

export type Level = 'L1' | 'L0' | 'L2'

export interface Hello {
  proto: number
  secret: string
  pid: number
  python: string
  sglang: string | null
  levels: Level[]
  unsupported: string | null
  caps: Record<string, unknown>
}

export interface KvEndpoint {
  rank: number
  endpoint: string
  replay: string | null
  topic: string
}

export interface Ready {
  level: Level
  sglang: string
  model_path: string
  is_embedding: boolean
  context_len: number
  max_req_input_len: number
  vocab_size: number
  eos_ids: number[]
  block_size: number
  dp_size: number
  tp_size: number
  is_mla?: boolean
  /** False: no prompt's KV is found again. */
  keeps_prefixes?: boolean
  /** Takes pictures or sounds, and clips or not; `pad`: how their KV blocks are named (lib/media-pads.ts). */
  sight?: { pad: PadScheme | null; clips?: boolean; sounds?: boolean } | null
  max_prefill_tokens?: number | null
  disaggregation_mode?: string | null
  bootstrap?: { host: string; port: number } | null
  max_running_requests: number
  max_total_tokens: number
  kv_events: KvEndpoint[]
  schedulers: number[]
  load_secs: number
  /** Of a node that takes no requests. */
  node_rank?: number
}

export interface Fatal {
  code: 'unsupported' | 'model_missing' | 'model_unfit' | 'bad_args' | 'start_failed' | 'scheduler_died' | 'bridge_failed'
  message: string
  lines?: string[]
}

/** `u32 LE length | message`, ready for the socket. */
export function framed(message: unknown[]): Uint8Array {
  const body = encode(message)
  const frame = new Uint8Array(4 + body.length)
  new DataView(frame.buffer).setUint32(0, body.length, true)
  frame.set(body, 4)
  return frame
}

/** Ids as little-endian u32, without a copy. */
function idBytes(ids: Uint32Array): Uint8Array {
  return new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength)
}

export function helloAckFrame(level: Level | undefined, tok: string | undefined, epoch: string): Uint8Array {
  return framed([toBridge.helloAck, { level: level ?? null, tok: tok ?? null, epoch }])
}

export function generateFrame(slot: number, rid: string, request: GenerateRequest): Uint8Array {
  const { logprobs: lp, bootstrap: boot } = request
  const options = {
    stream: request.stream,
    lp: lp && [lp.promptStart, lp.top, lp.tokenIds ?? null],
    dp: request.dpRank,
    priority: request.priority,
    salt: request.cacheSalt,
    extra_key: request.extraKey,
    lora: request.lora,
    resume: request.resumed,
    // As a bigint it stays a whole number on the wire.
    boot: boot && [boot.host, boot.port, BigInt(boot.room), boot.prefillDpRank ?? null],
    media: request.media?.map(mediaEntry),
    text: request.promptText,
    messages: request.chat?.messages,
    tools: request.chat?.tools,
    template_kwargs: request.chat?.variables,
  }
  return framed([
    toBridge.generate,
    slot,
    rid,
    request.promptText === undefined && request.chat === undefined ? idBytes(request.promptIds) : null,
    request.sampling,
    options,
  ])
}

function mediaEntry({ kind, file, hash, offset, tokens, placeholder, single, grid, rows, frames, clip }: MediaItem): unknown[] {
  const given = rows && [rows.type, rows.rows, rows.dim, rows.bytes]
  const sent = given || kind === 'video' ? null : file
  const times = clip && [given ? [] : (frames ?? []), clip.frames, clip.fps, clip.positions, clip.seconds ?? null]
  return [kind, sent, hash, offset, tokens, placeholder, single, grid, given ?? null, times ?? null]
}

export function embedFrame(slot: number, rid: string, request: EmbedRequest): Uint8Array {
  return framed([toBridge.embed, slot, rid, idBytes(request.promptIds), { dp: request.dpRank, priority: request.priority }])
}

export function abortFrame(rids: readonly string[]): Uint8Array {
  return framed([toBridge.abort, rids])
}

export function finFrame(slots: readonly number[]): Uint8Array {
  return framed([toBridge.fin, slots])
}

export function callFrame(id: number, method: string, args: Record<string, unknown>): Uint8Array {
  return framed([toBridge.call, id, method, args])
}

export function shutdownFrame(deadlineMs: number): Uint8Array {
  return framed([toBridge.shutdown, deadlineMs])
}

/** A frame longer than this is no frame: the other side is not the bridge. */
const maxFrameBytes = 1024 * 1024 * 1024

/** Cuts the socket's bytes into messages, however they arrive. A message that spans chunks is received into one buffer of its size. */
export class FrameReader {
  private readonly take: (message: Uint8Array) => void
  private readonly head = new Uint8Array(4)
  private headHave = 0
  private body: Uint8Array | undefined
  private have = 0

  /** `take` gets each message; the bytes may be a view into the chunk. */
  constructor(take: (message: Uint8Array) => void) {
    this.take = take
  }

  /** Throws RangeError on a length that cannot be. */
  push(chunk: Uint8Array): void {
    let at = 0
    while (at < chunk.length) {
      if (this.body) {
        const taken = Math.min(this.body.length - this.have, chunk.length - at)
        this.body.set(chunk.subarray(at, at + taken), this.have)
        this.have += taken
        at += taken
        if (this.have < this.body.length) return
        const message = this.body
        this.body = undefined
        this.take(message)
        continue
      }
      this.head[this.headHave++] = chunk[at++]!
      if (this.headHave < 4) continue
      this.headHave = 0
      const size = new DataView(this.head.buffer).getUint32(0, true)
      if (size > maxFrameBytes) throw new RangeError(`a message of ${size} bytes`)
      if (chunk.length - at >= size) {
        this.take(chunk.subarray(at, at + size))
        at += size
      } else {
        this.body = new Uint8Array(size)
        this.have = 0
      }
    }
  }
}
