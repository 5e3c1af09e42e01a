// Frame 0 of what an encoder pushes to an SGLang language server: a pickle of its EmbeddingData without the tensor (frame 1 is the tensor's bytes). A closed shape, and
// data where releases differ (sglang: disaggregation/encoder/receiver.py, before 0.5.19 disaggregation/encode_receiver.py).
import { type PickleGlobal, type PickleValue, writePickle } from '../../../transport/pickle/write.ts'
import type { EmbeddingType } from '../vision.ts'

export type Modality = 'IMAGE' | 'VIDEO'

/** Which part of which request the frame answers; the words of /encode. */
export interface Part {
  reqId: string
  numParts: number
  partIdx: number
  modality: Modality
}

export interface FrameRows {
  /** One for each picture, in order. */
  grids: readonly (readonly [number, number, number])[]
  type: EmbeddingType
  rows: number
  dim: number
  /** Clips: seconds that one temporal patch stands for, one for each clip. */
  secondsPerGrid?: readonly number[]
  /** Clips: the middle of each temporal patch in seconds, one list for each clip. */
  timestamps?: readonly (readonly number[])[]
}

interface Release {
  data: PickleGlobal
  modality: PickleGlobal
  /** Grids must be tensors: later ones make them of lists. */
  tensors?: true
  /** Attributes in place of `grid_dim` and `modality`: releases before there were modalities. */
  imagesOnly?: true
}

const receiver = { module: 'sglang.srt.disaggregation.encoder.receiver', name: 'EmbeddingData' }
const earlyReceiver = { module: 'sglang.srt.disaggregation.encode_receiver', name: 'EmbeddingData' }
/** Its place since 0.5.10; later releases also take it from there. */
const modality = { module: 'sglang.srt.managers.schedule_batch', name: 'Modality' }

/** By the first release that reads it. The newest is what 0.5.23 writes itself; 0.5.19's is read by all since. */
export const releases = {
  '0.5.6': { data: earlyReceiver, modality, tensors: true, imagesOnly: true },
  '0.5.10': { data: earlyReceiver, modality, tensors: true },
  '0.5.19': { data: receiver, modality },
  '0.5.23': { data: receiver, modality: { module: 'sglang.srt.multimodal.modality', name: 'Modality' } },
} as const satisfies Record<string, Release>

export type ReleaseName = keyof typeof releases

/** Which of `releases` a server of this version reads; an unknown version: the one that the most do. */
export function releaseOf(version: string | undefined): ReleaseName {
  const wanted = numbers(version)
  if (wanted === undefined) return '0.5.19'
  let found: ReleaseName = '0.5.6'
  for (const name of Object.keys(releases) as ReleaseName[]) if (compare(numbers(name)!, wanted) <= 0) found = name
  return found
}

const modalityValues: Record<Modality, number> = { IMAGE: 1, VIDEO: 2 }

/** The frame that goes before the rows. */
export function rowsFrame(part: Part, { grids, type, rows, dim, secondsPerGrid, timestamps }: FrameRows, release: ReleaseName): Uint8Array {
  const dtype = { module: 'torch', name: type }
  const state = { grid: grids.map((grid) => [...grid]), dtype, shape: [rows, dim], error: null, code: null }
  const clips = { ...(timestamps && { video_timestamps: timestamps }), ...(secondsPerGrid && { second_per_grid_ts: secondsPerGrid }) }
  return write(part, state, release, clips)
}

/** The frame that says why there are none; it stands alone. `code`: an HTTP status. */
export function errorFrame(part: Part, message: string, code: number, release: ReleaseName): Uint8Array {
  return write(part, { grid: null, dtype: null, shape: null, error: message, code }, release, {})
}

interface State {
  grid: number[][] | null
  dtype: PickleGlobal | null
  shape: number[] | null
  error: string | null
  code: number | null
}

function write(part: Part, state: State, release: ReleaseName, more: Readonly<Record<string, PickleValue>>): Uint8Array {
  const shape: Release = releases[release]
  const { grid, dtype, shape: size, error, code } = state
  const head = { req_id: part.reqId, num_parts: part.numParts, part_idx: part.partIdx }
  const tail = { embedding: null, send_time: null, dtype, shape: size }
  const end = { error_msg: error, error_code: code }
  const grids = grid !== null && shape.tensors ? { call: { module: 'torch', name: 'LongTensor' }, args: [grid] } : grid
  if (shape.imagesOnly) {
    // These keep what they gather in the first part's own lists.
    const lists = Array.from({ length: part.numParts }, (_, i) => i === part.partIdx)
    const gathered = {
      ready_list: lists,
      embedding_list: lists.map(() => null),
      image_grid_dim_list: lists.map((mine) => (mine ? grids : null)),
    }
    return writePickle({ object: shape.data, state: { ...head, image_grid_dim: grids, ...tail, ...gathered, ...end } })
  }
  const kind = { call: shape.modality, args: [modalityValues[part.modality]] }
  return writePickle({ object: shape.data, state: { ...head, grid_dim: grids, modality: kind, ...tail, _mr_ptr: null, ...end, ...more } })
}

function numbers(version: string | undefined): number[] | undefined {
  const match = /^(\d+)\.(\d+)\.(\d+)/.exec(version ?? '')
  return match === null ? undefined : [Number(match[1]), Number(match[2]), Number(match[3])]
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < 3; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return 0
}
