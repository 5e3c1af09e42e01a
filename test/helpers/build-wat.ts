// `bun test/helpers/build-wat.ts`: assembles the .wat files of the product and embeds the bytes in TypeScript. A test holds each pair together.
import { basename, join } from 'node:path'
import wabt from 'wabt'

const root = join(import.meta.dir, '../..')

export interface Embedding {
  wat: string
  /** The file that holds the bytes, and the name that it exports. */
  ts: string
  name: string
}

export const embeddings = {
  xxh3: { wat: join(root, 'src/lib/block-hash/xxh3.wat'), ts: join(root, 'src/lib/block-hash/xxh3-wasm.ts'), name: 'xxh3Wasm' },
  yuv420: {
    wat: join(root, 'kernels/rgb-to-yuv420/rgb-to-yuv420.wat'),
    ts: join(root, 'kernels/rgb-to-yuv420/wasm-bytes.ts'),
    name: 'rgbToYuv420Wasm',
  },
  resize: { wat: join(root, 'kernels/resize/resize.wat'), ts: join(root, 'kernels/resize/wasm-bytes.ts'), name: 'resizeWasm' },
  normalizePatchify: {
    wat: join(root, 'kernels/normalize-patchify/normalize-patchify.wat'),
    ts: join(root, 'kernels/normalize-patchify/wasm-bytes.ts'),
    name: 'normalizePatchifyWasm',
  },
  resizeBicubic: {
    wat: join(root, 'kernels/resize-bicubic/resize-bicubic.wat'),
    ts: join(root, 'kernels/resize-bicubic/wasm-bytes.ts'),
    name: 'resizeBicubicWasm',
  },
  upscale: { wat: join(root, 'kernels/upscale/upscale.wat'), ts: join(root, 'kernels/upscale/wasm-bytes.ts'), name: 'upscaleWasm' },
} satisfies Record<string, Embedding>

/** What the TypeScript file has to contain. */
export async function embedWat({ wat, name }: Embedding): Promise<string> {
  const file = basename(wat)
  const parsed = (await wabt()).parseWat(file, await Bun.file(wat).text(), { simd: true, multi_value: true, bulk_memory: true })
  const { buffer } = parsed.toBinary({})
  parsed.destroy()
  const lines = buffer.toBase64().match(/.{1,140}/g) ?? []
  return `// ${file}, assembled by test/helpers/build-wat.ts. Not edited by hand.
export const ${name} =
${lines.map((line) => `  '${line}'`).join(' +\n')}
`
}

if (import.meta.main) for (const one of Object.values(embeddings)) await Bun.write(one.ts, await embedWat(one))
