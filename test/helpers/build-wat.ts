// `bun test/helpers/build-wat.ts`: assembles src/lib/block-hash/xxh3.wat and embeds the bytes in xxh3-wasm.ts. A test holds the two together.
import { join } from 'node:path'
import wabt from 'wabt'

const folder = join(import.meta.dir, '../../src/lib/block-hash')
export const embedded = join(folder, 'xxh3-wasm.ts')

/** What xxh3-wasm.ts has to contain. */
export async function embedWat(): Promise<string> {
  const parsed = (await wabt()).parseWat('xxh3.wat', await Bun.file(join(folder, 'xxh3.wat')).text())
  const { buffer } = parsed.toBinary({})
  parsed.destroy()
  const lines = buffer.toBase64().match(/.{1,140}/g) ?? []
  return `// xxh3.wat, assembled by test/helpers/build-wat.ts. Not edited by hand.
export const xxh3Wasm =
${lines.map((line) => `  '${line}'`).join(' +\n')}
`
}

if (import.meta.main) await Bun.write(embedded, await embedWat())
