// XXH3-64 with a 64-bit seed in plain BigInt, after the published specification (xxHash 0.8, doc/xxhash_spec.md): the twin of xxh3.wat.
// Bun.hash.xxHash3 knows only 32 bits of a seed, and adapters and tenants move the seed by 64.

const mask = 0xffff_ffff_ffff_ffffn
const prime32 = [0x9e37_79b1n, 0x85eb_ca77n, 0xc2b2_ae3dn] as const
const prime64 = [
  0x9e37_79b1_85eb_ca87n,
  0xc2b2_ae3d_27d4_eb4fn,
  0x1656_67b1_9e37_79f9n,
  0x85eb_ca77_c2b2_ae63n,
  0x27d4_eb2f_1656_67c5n,
] as const
const mix1 = 0x1656_6791_9e37_79f9n
const mix2 = 0x9fb2_1c65_1e98_df25n

/** The algorithm's fixed 192 bytes. */
const secretHex =
  'b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c' +
  '3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364ea' +
  'c5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e'
const fixedSecret = view(Uint8Array.fromHex(secretHex))

/** XXH3-64 of any bytes. `seed`: 0 to 2^64 - 1. */
export function xxh3(bytes: Uint8Array, seed: bigint): bigint {
  const data = view(bytes)
  const length = bytes.byteLength
  if (length <= 16) return upTo16(data, length, seed)
  if (length <= 128) return upTo128(data, length, seed)
  if (length <= 240) return upTo240(data, length, seed)
  return long(data, length, seed)
}

function upTo16(data: DataView, length: number, seed: bigint): bigint {
  if (length > 8) {
    const low = u64(data, 0) ^ (((secret64(24) ^ secret64(32)) + seed) & mask)
    const high = u64(data, length - 8) ^ (((secret64(40) ^ secret64(48)) - seed) & mask)
    return avalanche(BigInt(length) + swap64(low) + high + foldedProduct(low, high))
  }
  if (length >= 4) {
    const folded = seed ^ (swap32(seed & 0xffff_ffffn) << 32n)
    const input = BigInt(data.getUint32(length - 4, true)) + (BigInt(data.getUint32(0, true)) << 32n)
    let hash = input ^ (((secret64(8) ^ secret64(16)) - folded) & mask)
    hash ^= rotate(hash, 49n) ^ rotate(hash, 24n)
    hash = (hash * mix2) & mask
    hash = ((hash ^ ((hash >> 35n) + BigInt(length))) * mix2) & mask
    return hash ^ (hash >> 28n)
  }
  if (length > 0) {
    const [first, middle, last] = [data.getUint8(0), data.getUint8(length >> 1), data.getUint8(length - 1)]
    const input = BigInt(((first << 16) | (middle << 24) | last | (length << 8)) >>> 0)
    return avalanche64(input ^ ((BigInt((fixedSecret.getUint32(0, true) ^ fixedSecret.getUint32(4, true)) >>> 0) + seed) & mask))
  }
  return avalanche64(seed ^ secret64(56) ^ secret64(64))
}

function upTo128(data: DataView, length: number, seed: bigint): bigint {
  let sum = BigInt(length) * prime64[0]
  for (let pair = (length - 1) >> 5; pair >= 0; pair--) {
    sum += mix16(data, 16 * pair, 32 * pair, seed)
    sum += mix16(data, length - 16 * (pair + 1), 32 * pair + 16, seed)
  }
  return avalanche(sum)
}

function upTo240(data: DataView, length: number, seed: bigint): bigint {
  let sum = BigInt(length) * prime64[0]
  for (let i = 0; i < 8; i++) sum += mix16(data, 16 * i, 16 * i, seed)
  sum = avalanche(sum)
  for (let i = 8; i < length >> 4; i++) sum += mix16(data, 16 * i, 16 * (i - 8) + 3, seed)
  return avalanche(sum + mix16(data, length - 16, 136 - 17, seed))
}

function long(data: DataView, length: number, seed: bigint): bigint {
  const secret = seededSecret(seed)
  const lanes = [prime32[2], prime64[0], prime64[1], prime64[2], prime64[3], prime32[1], prime64[4], prime32[0]]
  const stripes = (length - 1) >> 6
  for (let i = 0; i < stripes; i++) {
    accumulate(lanes, data, 64 * i, secret, 8 * (i & 15))
    if ((i & 15) === 15 && (i + 1) * 64 < length) scramble(lanes, secret)
  }
  accumulate(lanes, data, length - 64, secret, 192 - 64 - 7)
  let sum = BigInt(length) * prime64[0]
  for (let i = 0; i < 8; i += 2) sum += foldedProduct(lanes[i]! ^ u64(secret, 11 + 8 * i), lanes[i + 1]! ^ u64(secret, 19 + 8 * i))
  return avalanche(sum)
}

/** The 192 bytes that inputs beyond 240 bytes are mixed with. */
function seededSecret(seed: bigint): DataView {
  const secret = new DataView(new ArrayBuffer(192))
  for (let at = 0; at < 192; at += 16) {
    secret.setBigUint64(at, (secret64(at) + seed) & mask, true)
    secret.setBigUint64(at + 8, (secret64(at + 8) - seed) & mask, true)
  }
  return secret
}

function accumulate(lanes: bigint[], data: DataView, at: number, secret: DataView, secretAt: number): void {
  for (let i = 0; i < 8; i++) {
    const value = u64(data, at + 8 * i)
    const key = value ^ u64(secret, secretAt + 8 * i)
    lanes[i ^ 1] = (lanes[i ^ 1]! + value) & mask
    lanes[i] = (lanes[i]! + (key & 0xffff_ffffn) * (key >> 32n)) & mask
  }
}

function scramble(lanes: bigint[], secret: DataView): void {
  for (let i = 0; i < 8; i++) lanes[i] = ((lanes[i]! ^ (lanes[i]! >> 47n) ^ u64(secret, 128 + 8 * i)) * prime32[0]) & mask
}

function mix16(data: DataView, at: number, secretAt: number, seed: bigint): bigint {
  return foldedProduct(u64(data, at) ^ ((secret64(secretAt) + seed) & mask), u64(data, at + 8) ^ ((secret64(secretAt + 8) - seed) & mask))
}

function foldedProduct(a: bigint, b: bigint): bigint {
  const product = a * b
  return (product ^ (product >> 64n)) & mask
}

function avalanche(sum: bigint): bigint {
  let hash = sum & mask
  hash = ((hash ^ (hash >> 37n)) * mix1) & mask
  return hash ^ (hash >> 32n)
}

function avalanche64(input: bigint): bigint {
  let hash = ((input ^ (input >> 33n)) * prime64[1]) & mask
  hash = ((hash ^ (hash >> 29n)) * prime64[2]) & mask
  return hash ^ (hash >> 32n)
}

const rotate = (value: bigint, bits: bigint) => ((value << bits) | (value >> (64n - bits))) & mask

function swap32(value: bigint): bigint {
  const x = Number(value)
  return BigInt(((x << 24) | ((x & 0xff00) << 8) | ((x >>> 8) & 0xff00) | (x >>> 24)) >>> 0)
}

const swap64 = (value: bigint) => (swap32(value & 0xffff_ffffn) << 32n) | swap32(value >> 32n)
const secret64 = (at: number) => u64(fixedSecret, at)
const u64 = (data: DataView, at: number) => data.getBigUint64(at, true)

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
