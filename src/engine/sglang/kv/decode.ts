// The bytes of SGLang's KV events to our words. Both encodings: an event is a map with "type" (0.5.21 and later) or an array that starts with its tag (before).
import { type HashNamespace, type HashPairs, localHashes } from '../../../lib/block-hash.ts'
import { decodeWide } from '../../../transport/msgpack.ts'
import type { KvChange, KvTier } from '../../types.ts'
import { rootNames } from './names.ts'

/** Order of the fields in the array encoding, after the tag. */
const arrayFields = {
  BlockStored: ['block_hashes', 'parent_block_hash', 'token_ids', 'block_size', 'lora_id', 'medium'],
  BlockRemoved: ['block_hashes', 'medium'],
  AllBlocksCleared: [],
} as const

/** What does not stand here is on the device. */
const tiers: Readonly<Record<string, KvTier>> = {
  CPU: 'host',
  CPU_PINNED: 'host',
  CPU_TIER1: 'host',
  CPU_TIER2: 'disk',
  DISK: 'disk',
  NVME: 'disk',
  STORAGE: 'disk',
  EXTERNAL: 'external',
  NETWORK: 'external',
  REMOTE: 'external',
  SHARED: 'external',
}

type Fields = Record<string, unknown>
type TokenId = number | bigint | [number | bigint, number | bigint]

/**
 * Decodes the payloads `[time, [events], rank]` of one publisher. Left out: unknown event types, blocks that are not full or not of `blockSize` tokens,
 * and prompts in a namespace that no event tells (`extra_key`), once this publisher's names are known to be of the kind that shows it.
 * Throws on bytes that are no such message.
 */
export function kvDecoder(blockSize: number): (payload: Uint8Array) => KvChange[] {
  let namesKnown = false

  /** True for the first block of a prompt whose KV is not what its tokens and salt say. */
  function isElsewhere(fields: Fields): boolean {
    if (fields.parent_block_hash != null || fields.lora_name) return false
    const first = BigInt.asUintN(64, BigInt((fields.block_hashes as (number | bigint)[])[0]!))
    const expected = rootNames((fields.token_ids as TokenId[]).slice(0, blockSize), (fields.cache_salt as string) || undefined)
    const plain = expected.includes(first)
    namesKnown ||= plain
    return namesKnown && !plain
  }

  function stored(fields: Fields): KvChange | undefined {
    if (Number(fields.block_size) !== blockSize) return undefined
    const tokens = fields.token_ids as TokenId[]
    const names = fields.block_hashes as (number | bigint)[]
    const blocks = Math.min(names.length, Math.floor(tokens.length / blockSize))
    // Blocks that follow on one that was left out are orphans for every reader, so this ends the whole prompt.
    if (blocks === 0 || isElsewhere(fields)) return undefined
    return {
      kind: 'stored',
      blocks: pairs(blocks < names.length ? names.slice(0, blocks) : names),
      parent: fields.parent_block_hash == null ? null : pairs([fields.parent_block_hash as bigint]),
      local: localHashes(idsOf(tokens), blockSize, namespaceOf(fields)).subarray(0, 2 * blocks),
      tier: tierOf(fields.medium),
    }
  }

  return (payload) => {
    const batch = decodeWide(payload)
    if (!Array.isArray(batch) || !Array.isArray(batch[1])) throw new Error('not a batch of KV events')
    const changes: KvChange[] = []
    for (const event of batch[1]) {
      const fields = fieldsOf(event)
      if (fields.type === 'AllBlocksCleared') changes.push({ kind: 'cleared' })
      else if (fields.type === 'BlockRemoved')
        changes.push({ kind: 'removed', blocks: pairs(fields.block_hashes as bigint[]), tier: tierOf(fields.medium) })
      else if (fields.type === 'BlockStored') {
        const change = stored(fields)
        if (change) changes.push(change)
      }
    }
    return changes
  }
}

function fieldsOf(event: unknown): Fields {
  if (!Array.isArray(event)) return event as Fields
  const type = event[0] as keyof typeof arrayFields
  const fields: Fields = { type }
  arrayFields[type]?.forEach((name, i) => {
    fields[name] = event[i + 1]
  })
  return fields
}

const tierOf = (medium: unknown): KvTier => tiers[String(medium)] ?? 'device'

function namespaceOf(fields: Fields): HashNamespace {
  return { lora: (fields.lora_name as string) || undefined, cacheSalt: (fields.cache_salt as string) || undefined }
}

/** Signed or unsigned 64-bit integers as [low, high] pairs. */
function pairs(values: readonly (number | bigint)[]): HashPairs {
  const wide = new BigInt64Array(values.length)
  for (let i = 0; i < values.length; i++) wide[i] = BigInt(values[i]!)
  return new Uint32Array(wide.buffer)
}

/**
 * Ids as prompts have them: 32 bits each. Of what is wider (an image's pad values) the low 32 bits.
 * Speculative decoding (EAGLE) sends pairs of neighbours: the first of each is the token of the position. The block's KV needs one token more than that,
 * so a prompt that parts from another at a block's end is thought to share one block more than it does.
 */
function idsOf(tokens: readonly TokenId[]): Uint32Array {
  const ids = new Uint32Array(tokens.length)
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]!
    const id = typeof token === 'object' ? token[0] : token
    ids[i] = typeof id === 'bigint' ? Number(BigInt.asUintN(32, id)) : id
  }
  return ids
}
