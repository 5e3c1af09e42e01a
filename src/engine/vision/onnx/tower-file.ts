// What a tower written by export-vision says about itself: the metadata of its ONNX file (protobuf, onnx/onnx.proto3: ModelProto), found without reading
// the graph or the weights.
import { open } from 'node:fs/promises'
import { AppError } from '../../../lib/errors.ts'

/** As export/python/families.py writes it. Sizes in patches, values or blocks. */
export interface TowerFacts {
  version: number
  /** model_type of the model. */
  family: string
  depth: number
  /** Width inside the tower. */
  hidden: number
  heads: number
  channels: number
  /** Pixels along the side of a patch. */
  patch: number
  /** Patches along the side of a row of the output. */
  merge: number
  /** Frames in a patch. */
  temporal: number
  /** Base of the rotary positions. */
  theta: number
  /** Pixels along the side of an attention window; 0: no windows. */
  window: number
  /** Side of the table of learned positions; 0: none. */
  side: number
  /** Values in a row of the output, deepstack's levels included. */
  width: number
  /** How the weights are stored; computed is in float32. */
  storage: 'float32' | 'float16' | 'bfloat16'
  /** SHA-256 over names, shapes and bytes of the weights. */
  weights: string
}

const key = 'dynamo-sglang.vision'
const metadataField = 14
/** What this program understands; raised when the graph's inputs change. */
const version = 2

/** `modelPath`: whose tower it is to be. Rejects with `model_files_invalid` or `model_path_not_found` (named `param`) when the file is none of export-vision's. */
export async function readTowerFacts(path: string, param: string, modelPath?: string): Promise<TowerFacts> {
  let text: string | undefined
  try {
    text = await metadata(path)
  } catch (cause) {
    if ((cause as { code?: string }).code !== 'ENOENT') throw broken(path, param, 'cannot be read as an ONNX file', cause)
    throw new AppError('model_path_not_found', {
      param,
      message: `There is no vision tower at ${path}. Write it with: dynamo-sglang export-vision --model-path ${modelPath ?? 'DIR'} --out ${path}`,
      cause,
    })
  }
  if (text === undefined) throw broken(path, param, 'was not written by dynamo-sglang export-vision')
  const facts = JSON.parse(text) as TowerFacts
  if (facts.version !== version) throw broken(path, param, `is of version ${facts.version}, this program reads ${version}; export it again`)
  return facts
}

function broken(path: string, param: string, why: string, cause?: unknown): AppError {
  return new AppError('model_files_invalid', { param, message: `The vision tower ${path} ${why}.`, cause })
}

/** Value of our entry in ModelProto.metadata_props, or undefined. */
async function metadata(path: string): Promise<string | undefined> {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    for (let at = 0; at < size; ) {
      const head = await bytesAt(file, at, 20)
      const [tag, tagEnd] = varint(head, 0)
      const wire = tag & 7
      if (wire === 0) {
        at += varint(head, tagEnd)[1]
        continue
      }
      if (wire !== 2) throw new Error(`wire type ${wire} at ${at}`)
      const [length, start] = varint(head, tagEnd)
      if (tag >>> 3 === metadataField) {
        const [name, value] = entry(await bytesAt(file, at + start, length))
        if (name === key) return value
      }
      at += start + length
    }
    return undefined
  } finally {
    await file.close()
  }
}

/** StringStringEntryProto: 1 is the key, 2 the value. */
function entry(bytes: Uint8Array): [string, string] {
  const found = ['', '']
  for (let at = 0; at < bytes.length; ) {
    const [tag, tagEnd] = varint(bytes, at)
    const [length, start] = varint(bytes, tagEnd)
    found[(tag >>> 3) - 1] = new TextDecoder().decode(bytes.subarray(start, start + length))
    at = start + length
  }
  return [found[0]!, found[1]!]
}

/** Value and the place after it. Lengths of files up to 2^53. */
function varint(bytes: Uint8Array, at: number): [number, number] {
  let value = 0
  for (let scale = 1; at < bytes.length; scale *= 128) {
    const byte = bytes[at++]!
    value += (byte & 127) * scale
    if (byte < 128) return [value, at]
  }
  throw new Error('the file ends in the middle of a number')
}

async function bytesAt(file: Awaited<ReturnType<typeof open>>, at: number, length: number): Promise<Uint8Array> {
  const buffer = new Uint8Array(length)
  const { bytesRead } = await file.read(buffer, 0, length, at)
  return buffer.subarray(0, bytesRead)
}
