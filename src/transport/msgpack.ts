// MessagePack: whole values by @msgpack/msgpack, and a cursor that reads a frame field by field without making an object of it.
import { Decoder, Encoder } from '@msgpack/msgpack'

const encoder = new Encoder({ useBigInt64: true, ignoreUndefined: true })
const decoder = new Decoder()
const wideDecoder = new Decoder({ useBigInt64: true })
const text = new TextDecoder()

/** `bigint` becomes a 64-bit integer; undefined fields are left out. The bytes are the caller's. */
export function encode(value: unknown): Uint8Array {
  return encoder.encode(value)
}

/** 64-bit integers become numbers, losing what is beyond 2^53. Throws RangeError or Error on bytes that are no message. */
export function decode(bytes: Uint8Array): unknown {
  return decoder.decode(bytes)
}

/** As `decode`, but integers that were sent in 64 bits become `bigint`. */
export function decodeWide(bytes: Uint8Array): unknown {
  return wideDecoder.decode(bytes)
}

/** A byte that says what follows, and what follows: messages of one stream whose bodies are not all MessagePack. */
export function tagged(kind: number, body: Uint8Array): Uint8Array {
  const out = new Uint8Array(1 + body.length)
  out[0] = kind
  out.set(body, 1)
  return out
}

export class MsgpackError extends Error {
  override readonly name = 'MsgpackError'
}

/**
 * Reads one message in order. Each call takes the next value and moves on; a value of another kind throws MsgpackError.
 * One cursor may be used for many messages (`reset`): it makes no garbage but what it returns.
 */
export class Cursor {
  bytes: Uint8Array = new Uint8Array(0)
  at = 0
  private view: DataView = new DataView(new ArrayBuffer(0))

  reset(bytes: Uint8Array): void {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.at = 0
  }

  private head(): number {
    if (this.at >= this.bytes.length) throw new MsgpackError('the message is cut short')
    return this.bytes[this.at++]!
  }

  /** Takes a nil if one is next; else leaves the value where it is. */
  nil(): boolean {
    if (this.bytes[this.at] !== 0xc0) return false
    this.at++
    return true
  }

  /** How many items follow. */
  array(): number {
    const head = this.head()
    if (head >= 0x90 && head <= 0x9f) return head & 15
    if (head === 0xdc) return this.take16()
    if (head === 0xdd) return this.take32()
    throw this.wrong('an array', head)
  }

  /** How many key-value pairs follow. */
  map(): number {
    const head = this.head()
    if (head >= 0x80 && head <= 0x8f) return head & 15
    if (head === 0xde) return this.take16()
    if (head === 0xdf) return this.take32()
    throw this.wrong('a map', head)
  }

  /** Any number; 64-bit integers lose what is beyond 2^53. */
  number(): number {
    const head = this.head()
    if (head < 0x80) return head
    if (head >= 0xe0) return head - 256
    if (head < 0xca || head > 0xd3) throw this.wrong('a number', head)
    const at = this.at
    this.at += numberBytes[head - 0xca]!
    if (this.at > this.bytes.length) throw new MsgpackError('the message is cut short')
    switch (head) {
      case 0xca:
        return this.view.getFloat32(at)
      case 0xcb:
        return this.view.getFloat64(at)
      case 0xcc:
        return this.bytes[at]!
      case 0xcd:
        return this.view.getUint16(at)
      case 0xce:
        return this.view.getUint32(at)
      case 0xcf:
        return this.view.getUint32(at) * 2 ** 32 + this.view.getUint32(at + 4)
      case 0xd0:
        return this.view.getInt8(at)
      case 0xd1:
        return this.view.getInt16(at)
      case 0xd2:
        return this.view.getInt32(at)
      default:
        return this.view.getInt32(at) * 2 ** 32 + this.view.getUint32(at + 4)
    }
  }

  /** Length of a bin; its bytes start at `at` then, and the caller moves `at` on (`skipBytes`). */
  bin(): number {
    const head = this.head()
    let size: number
    if (head === 0xc4) size = this.take8()
    else if (head === 0xc5) size = this.take16()
    else if (head === 0xc6) size = this.take32()
    else throw this.wrong('bytes', head)
    if (this.at + size > this.bytes.length) throw new MsgpackError('the message is cut short')
    return size
  }

  skipBytes(count: number): void {
    this.at += count
  }

  string(): string {
    const head = this.head()
    let size: number
    if (head >= 0xa0 && head <= 0xbf) size = head & 31
    else if (head === 0xd9) size = this.take8()
    else if (head === 0xda) size = this.take16()
    else if (head === 0xdb) size = this.take32()
    else throw this.wrong('a string', head)
    if (this.at + size > this.bytes.length) throw new MsgpackError('the message is cut short')
    this.at += size
    return text.decode(this.bytes.subarray(this.at - size, this.at))
  }

  /** The next value as JavaScript makes it. For what is rare in a frame. */
  value(): unknown {
    const start = this.at
    this.skip()
    return decoder.decode(this.bytes.subarray(start, this.at))
  }

  /** Steps over the next value, whatever it is. */
  skip(): void {
    for (let left = 1; left > 0; left--) left += this.skipOne()
    if (this.at > this.bytes.length) throw new MsgpackError('the message is cut short')
  }

  /** Steps over one head and its own bytes; returns how many values it announced. */
  private skipOne(): number {
    const head = this.head()
    if (head < 0x80 || head >= 0xe0 || head === 0xc0 || head === 0xc2 || head === 0xc3) return 0
    if (head < 0x90) return (head & 15) * 2
    if (head < 0xa0) return head & 15
    if (head < 0xc0) return this.skipped(head & 31)
    if (head >= 0xca && head <= 0xd3) return this.skipped(numberBytes[head - 0xca]!)
    if (head >= 0xd4 && head <= 0xd8) return this.skipped(1 + 2 ** (head - 0xd4))
    if (head === 0xc4 || head === 0xd9) return this.skipped(this.take8())
    if (head === 0xc5 || head === 0xda) return this.skipped(this.take16())
    if (head === 0xc6 || head === 0xdb) return this.skipped(this.take32())
    if (head === 0xc7) return this.skipped(1 + this.take8())
    if (head === 0xc8) return this.skipped(1 + this.take16())
    if (head === 0xc9) return this.skipped(1 + this.take32())
    if (head === 0xdc) return this.take16()
    if (head === 0xdd) return this.take32()
    if (head === 0xde) return this.take16() * 2
    if (head === 0xdf) return this.take32() * 2
    throw this.wrong('a value', head)
  }

  private skipped(count: number): number {
    this.at += count
    return 0
  }

  private take8(): number {
    return this.head()
  }

  private take16(): number {
    if (this.at + 2 > this.bytes.length) throw new MsgpackError('the message is cut short')
    this.at += 2
    return this.view.getUint16(this.at - 2)
  }

  private take32(): number {
    if (this.at + 4 > this.bytes.length) throw new MsgpackError('the message is cut short')
    this.at += 4
    return this.view.getUint32(this.at - 4)
  }

  private wrong(wanted: string, head: number): MsgpackError {
    return new MsgpackError(`wanted ${wanted} at byte ${this.at - 1}, found 0x${head.toString(16)}`)
  }
}

/** Payload bytes of the heads 0xca (float32) to 0xd3 (int64). */
const numberBytes = [4, 8, 1, 2, 4, 8, 1, 2, 4, 8] as const
