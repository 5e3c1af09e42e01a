// The ids that SGLang puts in place of a picture's placeholders before it names KV blocks, so that equal text with different pictures never shares blocks
// (sglang/srt/managers/schedule_batch.py). Prompts here have 32-bit ids, so of the wide values the low 32 bits stand in prompts and in decoded events alike.

/** `single`: one value a picture (SGLang up to 0.5.21). `wide`: four values of 62 bits in turn (0.5.22 and later). */
export type PadScheme = 'single' | 'wide'

const shift = 1_000_000n
const wideTag = 'sglang-mm-wide-pad-v1'

/** A picture's pad values in order of use, their low 32 bits. `hash`: the item's 64-bit hash as SGLang holds it. */
export function padValues(hash: bigint, scheme: PadScheme): Uint32Array {
  const item = BigInt.asUintN(64, hash)
  if (scheme === 'single') return Uint32Array.of(Number(shift + (item & ((1n << 30n) - 1n))))
  const name = new Uint8Array(8)
  new DataView(name.buffer).setBigUint64(0, item)
  const digest = new Bun.CryptoHasher('sha256').update(wideTag).update(name).digest()
  const words = new DataView(digest.buffer, digest.byteOffset)
  return Uint32Array.from({ length: 4 }, (_, i) => Number(BigInt.asUintN(32, shift + BigInt.asUintN(62, words.getBigUint64(8 * i)))))
}

/** A picture within a prompt: its ids are `[offset, offset + tokens)`, of which those equal to `placeholder` stand for its rows. */
export interface Placed {
  offset: number
  tokens: number
  placeholder: number
  /** SHA-256 of its content, hex. */
  hash: string
}

/** The 64-bit item hash that we give an engine for a picture: the first 16 hex digits of its content's SHA-256. */
export const itemHashOf = (contentHash: string): bigint => BigInt(`0x${contentHash.slice(0, 16)}`)

/** A copy of `ids` with every row's placeholder padded; the turn of the values starts again with each unbroken run. */
export function padPictures(ids: Uint32Array, pictures: readonly Placed[], scheme: PadScheme): Uint32Array {
  const padded = ids.slice()
  for (const { offset, tokens, placeholder, hash } of pictures) {
    const values = padValues(itemHashOf(hash), scheme)
    let turn = 0
    for (let i = offset; i < offset + tokens; i++) {
      if (ids[i] === placeholder) padded[i] = values[turn++ % values.length]!
      else turn = 0
    }
  }
  return padded
}
