// What a running SGLang HTTP server tells about itself, as EngineInfo.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '../../../lib/errors.ts'
import type { EngineInfo } from '../../types.ts'
import { roleOf } from '../facts.ts'
import type { KvSource } from '../kv/follow.ts'
import { readText, send } from './client.ts'

type Json = Record<string, unknown>

export interface ServerFacts {
  info: EngineInfo
  /** Streamed events repeat all ids so far; undefined when the server does not say. */
  cumulative: boolean | undefined
  kv: { topic: string; port: number; replayPort: number | undefined } | undefined
}

/** Nobody listens (yet): the one failure to read a server that waiting can cure. */
export class Unreachable extends AppError {}

/** Fetches one JSON object; the newer path first, then the one of older releases. Rejects with AppError `engine_unavailable`. */
async function getJson(base: string, paths: readonly string[], headers: Record<string, string>): Promise<Json> {
  const said: string[] = []
  for (const path of paths) {
    let reply: { status: number; text: string }
    try {
      const response = await send(base + path, headers, undefined, AbortSignal.timeout(10_000))
      reply = { status: response.status, text: await readText(response) }
    } catch (thrown) {
      const { code, message } = thrown as { code?: string; message: string }
      const options = { message: `No SGLang server answers at ${base}: ${message || code}`, retryAfterSecs: 2, cause: thrown }
      throw unreachable.has(code ?? '') ? new Unreachable('engine_unavailable', options) : new AppError('engine_unavailable', options)
    }
    if (reply.status === 200) {
      const value = jsonObject(reply.text)
      if (value !== undefined) return value
    }
    said.push(`GET ${path} answered ${reply.status}${reply.status === 200 ? ' without a JSON object' : ''}`)
  }
  throw new AppError('engine_unavailable', {
    message: `Something answers at ${base}, but it is not an SGLang server that can be used: ${said.join(', ')}`,
    retryAfterSecs: 2,
  })
}

/** In compose a name resolves only once its container runs. */
const unreachable = new Set(
  'ECONNREFUSED ECONNRESET EHOSTUNREACH ENETUNREACH ETIMEDOUT ENOTFOUND EAI_AGAIN ConnectionRefused FailedToOpenSocket'.split(' '),
)

function jsonObject(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined
  } catch {
    return undefined // Told by the caller.
  }
}

/** Vocabulary and end tokens are not in the server's answers: read from the model's files when they are on this machine too. */
async function localModel(path: string): Promise<{ vocabSize: number; eosIds: number[] }> {
  const read = async (name: string): Promise<Json> => {
    try {
      return JSON.parse(await readFile(join(path, name), 'utf8')) as Json
    } catch {
      return {} // A hub name, or a path of the server's machine.
    }
  }
  const config = await read('config.json')
  const generation = await read('generation_config.json')
  const text = (config.text_config ?? {}) as Json
  const eos = generation.eos_token_id ?? config.eos_token_id ?? text.eos_token_id
  return {
    vocabSize: Number(config.vocab_size ?? text.vocab_size ?? 0),
    eosIds: (Array.isArray(eos) ? eos : [eos]).filter((id): id is number => typeof id === 'number'),
  }
}

/** Asks the server at `base` (no slash at its end). Rejects with AppError `engine_unavailable` when it does not answer. */
export async function readServer(base: string, headers: Record<string, string>): Promise<ServerFacts> {
  const server = await getJson(base, ['/server_info', '/get_server_info'], headers)
  const model = await getJson(base, ['/model_info', '/get_model_info'], headers)
  const modelPath = String(model.model_path ?? server.model_path ?? '')
  const number = (name: string, fallback: number) => (typeof server[name] === 'number' ? (server[name] as number) : fallback)
  const longestPrompt = number('max_req_input_len', 0)
  const contextLength = number('context_length', longestPrompt)
  const dpSize = number('dp_size', 1)
  const incremental = server.incremental_streaming_output ?? server.stream_output
  const events = server.kv_events as Json | null | undefined
  return {
    info: {
      kind: 'http',
      version: String(server.version ?? 'unknown'),
      level: 'http',
      modelPath,
      isEmbedding: model.is_generation === false,
      contextLength,
      maxPromptTokens: longestPrompt || contextLength,
      ...(await localModel(modelPath)),
      blockSize: number('page_size', 1),
      dpSize,
      maxRunningRequests: number('max_running_requests', 0),
      totalKvTokens: number('max_total_num_tokens', 0),
      role: roleOf(server.disaggregation_mode),
      ...(server.disaggregation_mode === 'prefill'
        ? { bootstrap: { host: new URL(base).hostname, port: number('disaggregation_bootstrap_port', 8998) } }
        : {}),
      tpSize: number('tp_size', 1),
      maxPrefillTokens: number('max_prefill_tokens', 16_384),
      ...(server.disable_radix_cache === true ? { forgets: true as const } : {}),
      kvEvents: typeof events?.endpoint_port_base === 'number',
      // Which padding it uses it does not say.
      ...sightOf(model),
    },
    cumulative: typeof incremental === 'boolean' ? !incremental : undefined,
    kv:
      typeof events?.endpoint_port_base === 'number'
        ? {
            topic: String(events.topic ?? ''),
            port: events.endpoint_port_base,
            replayPort: typeof events.replay_endpoint_port_base === 'number' ? events.replay_endpoint_port_base : undefined,
          }
        : undefined,
  }
}

/** Where each rank of the server at `host` tells its KV events; none when it does not. */
export function kvSources({ kv, info }: ServerFacts, host: string): KvSource[] {
  if (kv === undefined) return []
  return Array.from({ length: info.dpSize }, (_, rank) => ({
    rank,
    topic: kv.topic,
    blockSize: info.blockSize,
    endpoint: `tcp://${host}:${kv.port + rank}`,
    ...(kv.replayPort === undefined ? {} : { replayEndpoint: `tcp://${host}:${kv.replayPort + rank}` }),
  }))
}

function sightOf({ has_image_understanding: sees, has_audio_understanding: hears }: Json): Pick<EngineInfo, 'sight'> {
  if (sees !== true && hears !== true) return {}
  return { sight: { ...(sees === true ? { clips: 'file' } : {}), ...(hears === true ? { sounds: true } : {}) } }
}
