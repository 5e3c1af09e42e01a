// What language servers post, read and checked (sglang 0.5.23: disaggregation/encoder/receiver.py sends it, runtime.py checks it; before 0.5.10 without `modality`).
import { AppError } from '../../../lib/errors.ts'
import type { Modality, Part, ReleaseName } from './frame.ts'
import { hostAndPort, isHost } from './receivers.ts'

export interface EncodeRequest {
  part: Part
  items: readonly { url: string; detail?: string }[]
  /** host:port of each receiver; undefined: the scheduler ranks tell theirs. */
  receivers: readonly string[] | undefined
  /** How old the server is by what it leaves out; undefined: it may be of any release since. */
  atMost: ReleaseName | undefined
}

export interface ReceiveUrl {
  reqId: string
  count: number
  url: string
}

// SGLang's protocol bounds nothing and knows no caller; these are more than any of its servers sends.
/** Users may choose ids; SGLang's own are 32 hex digits. `_local_part_<i>` follows. */
const maxIdChars = 1024
/** An encoder gets one part for each of images, clips and sounds. */
const maxParts = 3 * 1024
/** Each rank of a tensor-parallel group has an address (`receive_count` is tp_size). */
const maxRanks = 1024
/** As many as a chat may have. */
const maxItems = 1500
/** Of an address; pictures inside the question are bounded as files. */
const maxUrlChars = 16_384

/** The body of POST /encode. Throws `invalid_value` or `unsupported_parameter`. */
export function readEncode(body: unknown): EncodeRequest {
  const given = fields(body)
  const { req_id, num_parts, part_idx, modality, mm_items, prefill_host, embedding_port } = given
  const reqId = readId(req_id)
  if (!whole(num_parts) || num_parts < 1 || num_parts > maxParts) throw invalid('num_parts', `must be a whole number from 1 to ${maxParts}`)
  if (!whole(part_idx) || part_idx < 0 || part_idx >= num_parts) throw invalid('part_idx', `must be below num_parts (${num_parts})`)
  const part = { reqId, numParts: num_parts, partIdx: part_idx, modality: readModality(modality) }
  const list = Array.isArray(mm_items) ? mm_items : [mm_items]
  if (list.length === 0 || list.length > maxItems) throw invalid('mm_items', `must be 1 to ${maxItems} addresses`)
  const items = list.map(readItem)
  return { part, items, receivers: readReceivers(prefill_host, embedding_port), atMost: atMost(given) }
}

/** Modalities came with 0.5.10, the sender's times and the encoder's address with 0.5.13 to 0.5.15; since then questions look alike. */
function atMost(asked: Readonly<Record<string, unknown>>): ReleaseName | undefined {
  if (asked.modality === undefined) return '0.5.6'
  return 'time_stats_json' in asked || 'encoder_url' in asked ? undefined : '0.5.10'
}

/** The body of POST /scheduler_receive_url. Throws `invalid_value`. */
export function readReceiveUrl(body: unknown): ReceiveUrl {
  const { req_id, receive_count, receive_url } = fields(body)
  const reqId = readId(req_id)
  if (!whole(receive_count) || receive_count < 1 || receive_count > maxRanks)
    throw invalid('receive_count', `must be a whole number from 1 to ${maxRanks}`)
  if (typeof receive_url !== 'string') throw invalid('receive_url', 'must be host:port')
  hostAndPort(receive_url)
  return { reqId, count: receive_count, url: receive_url }
}

function readId(value: unknown): string {
  if (typeof value === 'string' && value !== '' && value.length <= maxIdChars) return value
  throw invalid('req_id', `must be a text of 1 to ${maxIdChars} characters`)
}

function readModality(value: unknown): Modality {
  if (value === undefined || value === 'IMAGE') return 'IMAGE'
  if (value === 'VIDEO') return 'VIDEO'
  throw new AppError('unsupported_parameter', {
    param: 'modality',
    message: `This encoder reads images and clips, not ${typeof value === 'string' ? value.slice(0, 40) : 'that'}.`,
  })
}

function readItem(item: unknown, i: number): { url: string; detail?: string } {
  if (typeof item === 'string') item = { url: item }
  const { url, detail } = typeof item === 'object' && item !== null ? (item as Record<string, unknown>) : {}
  if (typeof url !== 'string') throw invalid(`mm_items[${i}]`, 'must be an address, or an object with its url')
  if (url.length > maxUrlChars && /^\s*(?!data:)[a-z][a-z0-9+.-]*:/i.test(url.slice(0, 64)))
    throw invalid(`mm_items[${i}]`, `must be an address of at most ${maxUrlChars} characters`)
  return detail === 'low' ? { url, detail } : { url }
}

function readReceivers(host: unknown, ports: unknown): string[] | undefined {
  if (ports === undefined || ports === null) return undefined
  const list = Array.isArray(ports) ? ports : [ports]
  if (typeof host !== 'string' || !isHost(host)) throw invalid('prefill_host', 'must be a host')
  if (list.length === 0 || list.length > maxRanks || !list.every((port) => whole(port) && port > 0 && port < 65_536))
    throw invalid('embedding_port', 'must be ports')
  return list.map((port) => (host.includes(':') && !host.startsWith('[') ? `[${host}]:${port}` : `${host}:${port}`))
}

function fields(body: unknown): Record<string, unknown> {
  if (typeof body === 'object' && body !== null) return body as Record<string, unknown>
  throw new AppError('invalid_value', { message: 'The body must be a JSON object.' })
}

function whole(value: unknown): value is number {
  return Number.isInteger(value)
}

function invalid(param: string, why: string): AppError {
  return new AppError('invalid_value', { param, message: `${param} ${why}.` })
}
