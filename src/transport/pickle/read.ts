// Reads Python pickles (protocols 0 to 5, the binary opcodes) without running anything: objects and calls become plain records, and only those on the caller's list are
// let in. The opcodes are those of docs.python.org/3/library/pickletools.html.

/** A class or function, `module.name`. */
export interface ReadGlobal {
  kind: 'global'
  name: string
}

/** What Python would make by calling or constructing `callee` (`module.name`) with `args`, then giving it `state`. */
export interface ReadCall {
  kind: 'call'
  callee: string
  args: ReadValue[]
  state?: ReadValue
}

/** Something that the pickle only names, by its persistent id. */
export interface ReadReference {
  kind: 'reference'
  id: ReadValue
}

/** Tuples and lists are arrays, dicts are Maps, whole numbers above 2^53 are bigints. */
export type ReadValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | ReadValue[]
  | Map<ReadValue, ReadValue>
  | ReadGlobal
  | ReadCall
  | ReadReference

/** The bytes are no pickle, or name something that is not on the list. */
export class PickleError extends Error {
  override readonly name = 'PickleError'
}

const decoder = new TextDecoder('utf-8', { fatal: true })
const mark = Symbol('mark')
type Item = ReadValue | typeof mark

/** One pickle that begins at `start`. `allowed`: `module.name` of every class and function that may occur. Throws PickleError. */
export function readPickle(bytes: Uint8Array, allowed: ReadonlySet<string>, start = 0): { value: ReadValue; end: number } {
  const reader = new Reader(bytes, allowed, start)
  try {
    return { value: reader.run(), end: reader.at }
  } catch (thrown) {
    if (thrown instanceof PickleError) throw thrown
    throw new PickleError('the pickle is cut short or broken', { cause: thrown })
  }
}

class Reader {
  at: number
  private readonly bytes: Uint8Array
  private readonly view: DataView
  private readonly allowed: ReadonlySet<string>
  private readonly stack: Item[] = []
  private readonly memo = new Map<number, ReadValue>()

  constructor(bytes: Uint8Array, allowed: ReadonlySet<string>, start: number) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.allowed = allowed
    this.at = start
  }

  run(): ReadValue {
    for (;;) {
      const code = this.u8()
      if (code === 0x2e) return this.pop()
      const step = steps[code]
      if (step === undefined) throw new PickleError(`the opcode 0x${code.toString(16)} is not read here`)
      step(this)
    }
  }

  u8(): number {
    return this.view.getUint8(this.at++)
  }

  u16(): number {
    this.at += 2
    return this.view.getUint16(this.at - 2, true)
  }

  u32(): number {
    this.at += 4
    return this.view.getUint32(this.at - 4, true)
  }

  i32(): number {
    this.at += 4
    return this.view.getInt32(this.at - 4, true)
  }

  f64(): number {
    this.at += 8
    return this.view.getFloat64(this.at - 8)
  }

  /** A length of 8 bytes; more than there is ends the reading. */
  u64(): number {
    this.at += 8
    return Number(this.view.getBigUint64(this.at - 8, true))
  }

  take(length: number): Uint8Array {
    if (length > this.bytes.length - this.at) throw new PickleError('the pickle is cut short')
    this.at += length
    return this.bytes.subarray(this.at - length, this.at)
  }

  text(length: number): string {
    return decoder.decode(this.take(length))
  }

  line(): string {
    const end = this.bytes.indexOf(10, this.at)
    if (end < 0) throw new PickleError('the pickle is cut short')
    const text = this.text(end - this.at)
    this.at++
    return text
  }

  /** Little endian with sign, of any length. */
  long(length: number): number | bigint {
    let value = 0n
    const bytes = this.take(length)
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!)
    value = BigInt.asIntN(length * 8, value)
    return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value
  }

  push(item: Item): void {
    this.stack.push(item)
  }

  pop(): ReadValue {
    const item = this.stack.pop()
    if (item === undefined || item === mark) throw new PickleError('the pickle takes more than it gave')
    return item
  }

  top(): ReadValue {
    const item = this.stack.at(-1)
    if (item === undefined || item === mark) throw new PickleError('the pickle takes more than it gave')
    return item
  }

  /** What was put since the last mark. */
  toMark(): ReadValue[] {
    const from = this.stack.lastIndexOf(mark)
    if (from < 0) throw new PickleError('the pickle has no mark')
    const items = this.stack.splice(from)
    items.shift()
    return items as ReadValue[]
  }

  last(count: number): ReadValue[] {
    const items: ReadValue[] = []
    for (let i = 0; i < count; i++) items.unshift(this.pop())
    return items
  }

  global(module: ReadValue, name: ReadValue): void {
    const full = `${module}.${name}`
    if (typeof module !== 'string' || typeof name !== 'string' || !this.allowed.has(full))
      throw new PickleError(`the pickle wants ${full}, which is not on the list`)
    this.push({ kind: 'global', name: full })
  }

  call(): void {
    const args = this.pop()
    const callee = this.pop()
    if (!Array.isArray(args) || !isGlobal(callee)) throw new PickleError('the pickle calls what is no class or function')
    this.push({ kind: 'call', callee: callee.name, args })
  }

  build(): void {
    const state = this.pop()
    const object = this.top()
    if (!isCall(object)) throw new PickleError('the pickle gives a state to what is no object')
    object.state = state
  }

  append(items: ReadValue[]): void {
    const list = this.top()
    if (!Array.isArray(list)) throw new PickleError('the pickle appends to what is no list')
    for (const item of items) list.push(item)
  }

  set(items: ReadValue[]): void {
    const map = this.top()
    if (!(map instanceof Map)) throw new PickleError('the pickle sets keys of what is no dict')
    for (let i = 0; i + 1 < items.length; i += 2) map.set(items[i]!, items[i + 1]!)
  }

  remember(at = this.memo.size): void {
    this.memo.set(at, this.top())
  }

  recall(at: number): void {
    const value = this.memo.get(at)
    if (value === undefined) throw new PickleError('the pickle recalls what it never had')
    this.push(value)
  }
}

const steps: Record<number, (reader: Reader) => void> = {
  128: (r) => void r.u8(), // PROTO
  149: (r) => void r.u64(), // FRAME
  40: (r) => r.push(mark),
  78: (r) => r.push(null),
  136: (r) => r.push(true),
  137: (r) => r.push(false),
  74: (r) => r.push(r.i32()),
  75: (r) => r.push(r.u8()),
  77: (r) => r.push(r.u16()),
  138: (r) => r.push(r.long(r.u8())),
  139: (r) => r.push(r.long(r.u32())),
  71: (r) => r.push(r.f64()),
  140: (r) => r.push(r.text(r.u8())),
  88: (r) => r.push(r.text(r.u32())),
  141: (r) => r.push(r.text(r.u64())),
  67: (r) => r.push(r.take(r.u8())),
  66: (r) => r.push(r.take(r.u32())),
  142: (r) => r.push(r.take(r.u64())),
  41: (r) => r.push([]), // EMPTY_TUPLE
  93: (r) => r.push([]), // EMPTY_LIST
  125: (r) => r.push(new Map()), // EMPTY_DICT
  116: (r) => r.push(r.toMark()), // TUPLE
  133: (r) => r.push(r.last(1)),
  134: (r) => r.push(r.last(2)),
  135: (r) => r.push(r.last(3)),
  97: (r) => r.append(r.last(1)),
  101: (r) => r.append(r.toMark()),
  115: (r) => r.set(r.last(2)),
  117: (r) => r.set(r.toMark()),
  48: (r) => void r.pop(),
  113: (r) => r.remember(r.u8()),
  114: (r) => r.remember(r.u32()),
  148: (r) => r.remember(),
  104: (r) => r.recall(r.u8()),
  106: (r) => r.recall(r.u32()),
  99: (r) => r.global(r.line(), r.line()),
  147: (r) => r.global(...(r.last(2) as [ReadValue, ReadValue])),
  82: (r) => r.call(), // REDUCE
  129: (r) => r.call(), // NEWOBJ
  98: (r) => r.build(),
  81: (r) => r.push({ kind: 'reference', id: r.pop() }), // BINPERSID
}

export function isGlobal(value: ReadValue | undefined): value is ReadGlobal {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'global'
}

export function isCall(value: ReadValue | undefined): value is ReadCall {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'call'
}
