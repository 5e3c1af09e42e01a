// Weights of the tiny diffusion models are not kept in git: the same bytes must come out wherever they are written.
import { expect, test } from 'bun:test'
import { tinyFlux } from '../../models/diffusion/flux.ts'
import type { TinyPipeline } from '../../models/diffusion/pipeline.ts'
import { tinyWan } from '../../models/diffusion/wan.ts'

interface Header {
  [name: string]: { dtype: string; shape: number[]; data_offsets: [number, number] }
}

function read(bytes: Uint8Array): { header: Header; data: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const length = Number(view.getBigUint64(0, true))
  const { __metadata__, ...header } = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)))
  return { header, data: bytes.length - 8 - length }
}

const known: [TinyPipeline, string, number, string][] = [
  [tinyFlux, 'text_encoder/model.safetensors', 36, 'e0630298b3a8cae5'],
  [tinyFlux, 'text_encoder_2/model.safetensors', 21, 'a74e90b1224e7682'],
  [tinyFlux, 'transformer/diffusion_pytorch_model.safetensors', 112, 'df599d0718d28f4c'],
  [tinyFlux, 'vae/diffusion_pytorch_model.safetensors', 176, '5ffde2e4e549b7f7'],
  [tinyWan, 'text_encoder/model.safetensors', 22, '214d5e3cabed7718'],
  [tinyWan, 'transformer/diffusion_pytorch_model.safetensors', 69, 'd5df5038466989d6'],
  [tinyWan, 'vae/diffusion_pytorch_model.safetensors', 146, 'fe1ca91aa486fd8e'],
]

test.each(known)(
  '%# as many tensors as the pipeline has, one after the other, the same bytes each time',
  (pipeline, name, count, digest) => {
    const bytes = pipeline.weights[name]!()
    const { header, data } = read(bytes)
    expect(Object.keys(header)).toHaveLength(count)
    let at = 0
    for (const { dtype, shape, data_offsets } of Object.values(header)) {
      expect(dtype).toBe('BF16')
      expect(data_offsets).toEqual([at, at + 2 * shape.reduce((product, side) => product * side, 1)])
      at = data_offsets[1]
    }
    expect(data).toBe(at)
    expect(new Bun.CryptoHasher('sha256').update(bytes).digest('hex').slice(0, 16)).toBe(digest)
  },
  60_000,
)
