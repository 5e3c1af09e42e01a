// SGLang's own names of the first block of a prompt, recomputed: the only way to see that a block belongs to a namespace which its event does not tell
// (`extra_key`: equal tokens, KV apart). SGLang 0.5.23 mem_cache/utils.py and disaggregation/kv_events.py, `"format": "dynamo"`.

const saltTag = 'sglang-cache-salt-v1\0'
const namespaceTag = 'sglang-kv-event-namespace-v1'
const text = new TextEncoder()

type TokenId = number | bigint | readonly (number | bigint)[]

/** The names that a prompt's first block may have when nothing but `salt` keeps it apart: 64 bits each. */
export function rootNames(tokens: readonly TokenId[], salt: string | undefined): bigint[] {
  const page = pageBytes(tokens.flat() as (number | bigint)[])
  if (!salt) return [top64(sha256(page))]
  const plain = sha256(sha256(text.encode(saltTag + salt)), page)
  const name = new Uint8Array(8)
  new DataView(name.buffer).setBigUint64(0, top64(plain))
  return [top64(plain), top64(sha256(saltSeed(salt), name))]
}

/** Four bytes an id; eight each, behind a mark, when one of them needs it (images). */
function pageBytes(ids: readonly (number | bigint)[]): Uint8Array {
  if (ids.every((id) => id <= 0xffff_ffff)) return new Uint8Array(Uint32Array.from(ids, Number).buffer)
  const wide = new BigUint64Array(ids.length)
  for (let i = 0; i < ids.length; i++) wide[i] = BigInt(ids[i]!)
  const page = new Uint8Array(1 + wide.byteLength)
  page[0] = 0xff
  page.set(new Uint8Array(wide.buffer), 1)
  return page
}

/** Seed of the names in a namespace of a salt alone: absent extra key, then the salt with its length. */
function saltSeed(salt: string): Uint8Array {
  const bytes = text.encode(salt)
  const head = new Uint8Array(10)
  head[1] = 1
  new DataView(head.buffer).setBigUint64(2, BigInt(bytes.length), true)
  return sha256(text.encode(namespaceTag), head, bytes)
}

function sha256(...parts: Uint8Array[]): Uint8Array {
  const hasher = new Bun.CryptoHasher('sha256')
  for (const part of parts) hasher.update(part)
  return new Uint8Array(hasher.digest())
}

const top64 = (digest: Uint8Array): bigint => new DataView(digest.buffer, digest.byteOffset).getBigUint64(0)
