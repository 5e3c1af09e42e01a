// Writes Python pickles of plain values and of objects whose classes are named: protocol 3, which every Python 3 reads (docs.python.org/3/library/pickletools.html).

/** A class or function by its module and name. */
export interface PickleGlobal {
  module: string
  name: string
}

/** `callee(*args)`; with `state`: an object made without its constructor, whose attributes are then set. */
export type PickleCall =
  | { call: PickleGlobal; args: readonly PickleValue[] }
  | { object: PickleGlobal; state: Readonly<Record<string, PickleValue>> }

export type PickleValue = null | boolean | number | string | readonly PickleValue[] | PickleGlobal | PickleCall

const encoder = new TextEncoder()
/** Tuples of this length that need no mark: EMPTY_TUPLE, TUPLE1, TUPLE2, TUPLE3. */
const shortTuples = [0x29, 0x85, 0x86, 0x87]

/** The pickle of `value`. Arrays are lists; whole numbers must fit 32 bits with sign. */
export function writePickle(value: PickleValue): Uint8Array {
  const out = new Out()
  out.ops(0x80, 3)
  put(out, value)
  out.ops(0x2e)
  return out.bytes()
}

function put(out: Out, value: PickleValue): void {
  if (value === null) out.ops(0x4e)
  else if (value === true) out.ops(0x88)
  else if (value === false) out.ops(0x89)
  else if (typeof value === 'number') putNumber(out, value)
  else if (typeof value === 'string') putText(out, value)
  else if ('module' in value) putGlobal(out, value)
  else if ('object' in value) {
    putGlobal(out, value.object)
    out.ops(0x29, 0x81, 0x7d, 0x28) // EMPTY_TUPLE NEWOBJ EMPTY_DICT MARK
    for (const [name, part] of Object.entries(value.state)) {
      putText(out, name)
      put(out, part)
    }
    out.ops(0x75, 0x62) // SETITEMS BUILD
  } else if ('call' in value) {
    putGlobal(out, value.call)
    const short = shortTuples[value.args.length]
    if (short === undefined) out.ops(0x28)
    for (const part of value.args) put(out, part)
    out.ops(short ?? 0x74, 0x52) // TUPLE, REDUCE
  } else {
    out.ops(0x5d, 0x28) // EMPTY_LIST MARK
    for (const part of value) put(out, part)
    out.ops(0x65) // APPENDS
  }
}

function putNumber(out: Out, value: number): void {
  if (Number.isInteger(value)) {
    if (value !== (value | 0)) throw new RangeError(`${value} does not fit 32 bits`)
    out.ops(0x4a)
    out.view(4).setInt32(0, value, true)
  } else {
    out.ops(0x47)
    out.view(8).setFloat64(0, value)
  }
}

function putText(out: Out, text: string): void {
  const bytes = encoder.encode(text)
  out.ops(0x58)
  out.view(4).setUint32(0, bytes.length, true)
  out.raw(bytes)
}

function putGlobal(out: Out, { module, name }: PickleGlobal): void {
  out.ops(0x63)
  out.raw(encoder.encode(`${module}\n${name}\n`))
}

/** Bytes that grow. */
class Out {
  private buffer = new Uint8Array(512)
  private end = 0

  ops(...codes: number[]): void {
    this.raw(codes)
  }

  raw(bytes: ArrayLike<number>): void {
    this.reserve(bytes.length)
    this.buffer.set(bytes, this.end)
    this.end += bytes.length
  }

  /** The next `length` bytes, to be filled. */
  view(length: number): DataView {
    this.reserve(length)
    this.end += length
    return new DataView(this.buffer.buffer, this.end - length, length)
  }

  bytes(): Uint8Array {
    return this.buffer.slice(0, this.end)
  }

  private reserve(length: number): void {
    if (this.end + length <= this.buffer.length) return
    const next = new Uint8Array(Math.max(this.buffer.length * 2, this.end + length))
    next.set(this.buffer.subarray(0, this.end))
    this.buffer = next
  }
}
