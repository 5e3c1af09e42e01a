// What an encoder of SGLang pushes: a pickle of its EmbeddingData, then the rows (sglang 0.5.9 to 0.5.23, disaggregation/encoder/server.py). Read against a closed list of
// classes; nothing of it is run.
import { isCall, isGlobal, PickleError, type ReadValue, readPickle } from '../../../transport/pickle/read.ts'
import type { EmbeddingType } from '../vision.ts'

export interface EncoderFrame {
  reqId: string
  /** One for each picture of the part. */
  grids: [number, number, number][]
  type: EmbeddingType
  rows: number
  dim: number
  bytes: Uint8Array
}

/** The encoder's own failure. `code`: an HTTP status. */
export interface EncoderFailure {
  reqId: string
  error: string
  code: number
}

const data = ['sglang.srt.disaggregation.encoder.receiver.EmbeddingData', 'sglang.srt.disaggregation.encode_receiver.EmbeddingData']
const types: Readonly<Record<string, EmbeddingType>> = {
  'torch.float32': 'float32',
  'torch.bfloat16': 'bfloat16',
  'torch.float16': 'float16',
}
const tensor = 'torch._utils._rebuild_tensor_v2'
const storage = 'torch.storage._load_from_bytes'
const allowed = new Set([
  ...data,
  ...Object.keys(types),
  'sglang.srt.managers.schedule_batch.Modality',
  'sglang.srt.multimodal.modality.Modality',
  // How Python before 3.11.4 names a member of an enum: kept as what it says, never called.
  'builtins.getattr',
  tensor,
  storage,
  'collections.OrderedDict',
])
const storages: Readonly<Record<string, 4 | 8>> = { 'torch.LongStorage': 8, 'torch.IntStorage': 4 }
const noNames: ReadonlySet<string> = new Set()

/** Throws PickleError on what is no such message. */
export function readEncoderFrame(parts: readonly Uint8Array[]): EncoderFrame | EncoderFailure {
  const { value } = readPickle(parts[0]!, allowed)
  if (!isCall(value) || !data.includes(value.callee) || !(value.state instanceof Map)) throw wrong('no EmbeddingData')
  const fields = value.state
  const reqId = fields.get('req_id')
  if (typeof reqId !== 'string') throw wrong('no req_id')
  const error = fields.get('error_msg')
  if (typeof error === 'string') {
    const code = fields.get('error_code')
    return { reqId, error, code: typeof code === 'number' ? code : 500 }
  }
  const shape = fields.get('shape')
  const dtype = fields.get('dtype')
  const type = isGlobal(dtype) ? types[dtype.name] : undefined
  const [rows, dim] = Array.isArray(shape) ? shape : []
  if (typeof rows !== 'number' || typeof dim !== 'number' || type === undefined) throw wrong('no shape or type')
  const bytes = parts[1]
  if (bytes === undefined || bytes.length !== rows * dim * (type === 'float32' ? 4 : 2)) throw wrong('not the bytes of its shape')
  return { reqId, grids: readGrids(fields.get('grid_dim') ?? fields.get('image_grid_dim')), type, rows, dim, bytes }
}

/** A list of lists, or a tensor [pictures, 3]. */
function readGrids(value: ReadValue | undefined): [number, number, number][] {
  const flat = isCall(value) && value.callee === tensor ? readTensor(value.args) : Array.isArray(value) ? value.flat() : []
  if (flat.length === 0 || flat.length % 3 !== 0 || !flat.every((side) => typeof side === 'number')) throw wrong('no grid')
  return Array.from({ length: flat.length / 3 }, (_, i) => flat.slice(i * 3, i * 3 + 3) as [number, number, number])
}

/** Arguments of torch's _rebuild_tensor_v2: storage, offset, size, stride. Pictures that were encoded together have grids that are parts of one tensor. */
function readTensor([held, offset, size, stride]: readonly ReadValue[]): number[] {
  const bytes = isCall(held) && held.callee === storage ? held.args[0] : undefined
  if (!(bytes instanceof Uint8Array) || !counts([offset ?? null]) || !counts(size) || !counts(stride))
    throw wrong('another tensor than grids are')
  const [pictures, sides] = size
  if (size.length !== 2 || stride.length !== 2 || sides !== 3 || pictures! > 100_000) throw wrong('a grid of another shape')
  const all = readStorage(bytes)
  return Array.from({ length: pictures! * 3 }, (_, i) => {
    const number = all[(offset as number) + Math.floor(i / 3) * stride[0]! + (i % 3) * stride[1]!]
    if (number === undefined) throw wrong('a grid of another length')
    return number
  })
}

function counts(value: ReadValue | undefined): value is number[] {
  return Array.isArray(value) && value.every((part) => Number.isInteger(part) && (part as number) >= 0)
}

/** torch.save of a storage in its old form: four pickles (magic, version, machine, the storage's name), one of the keys, u64 count, the numbers. */
function readStorage(bytes: Uint8Array): number[] {
  let at = 0
  const next = (names: ReadonlySet<string> = noNames) => {
    const { value, end } = readPickle(bytes, names, at)
    at = end
    return value
  }
  for (let i = 0; i < 3; i++) next()
  const held = next(new Set(Object.keys(storages)))
  next()
  const id = typeof held === 'object' && held !== null && 'kind' in held && held.kind === 'reference' ? held.id : undefined
  const kind = Array.isArray(id) ? id[1] : undefined
  const size = isGlobal(kind) ? storages[kind.name] : undefined
  if (size === undefined) throw wrong('a storage of other numbers than grids are')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const count = Number(view.getBigUint64(at, true))
  if (count * size !== bytes.length - at - 8) throw wrong('a storage that is cut short')
  return Array.from({ length: count }, (_, i) => {
    const place = at + 8 + i * size
    return size === 8 ? Number(view.getBigInt64(place, true)) : view.getInt32(place, true)
  })
}

function wrong(what: string): PickleError {
  return new PickleError(`the encoder's message holds ${what}`)
}
