// Bundler plugin: packages that look for their .node file beside them get the one embedded in the executable instead.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import type { BunPlugin } from 'bun'

interface Part {
  /** Where each file goes (`at`) and where it comes from, in node_modules. */
  files: Record<string, string>
  entry: string
  /** A library without N-API, which the package opens itself: it gets the path. The symbol shows that it can be loaded. */
  library?: string
  /** The package's own loader, and what is kept of its text. */
  loader: RegExp
  rewrite(source: string, nativeModule: string): string
}

/** NAPI-RS loaders end in a list of exports of `nativeBinding`; all before it is the search for the file. */
function napiRs(source: string, nativeModule: string): string {
  return source.replace(
    /^[\s\S]*?\nmodule\.exports = nativeBinding/,
    `const nativeBinding = require('${nativeModule}').default\nmodule.exports = nativeBinding`,
  )
}

/** The one file of a folder in node_modules whose name has its version in it. */
function only(folder: string, pattern: string): string {
  const found = [...new Bun.Glob(pattern).scanSync(join(import.meta.dir, '../../node_modules', folder))]
  if (found.length !== 1) throw new Error(`node_modules/${folder} must have one ${pattern}, it has ${found.length}; run bun install`)
  return `${folder}/${found[0]}`
}

const vips = only('@img/sharp-libvips-linux-x64/lib', 'libvips-cpp.so.*')

const parts: Record<string, Part> = {
  // The addon looks for libvips at $ORIGIN/../../sharp-libvips-linux-x64/lib. libvips is LGPL: it stays a library of its own, which a user may replace.
  sharp: {
    files: {
      'sharp-linux-x64/lib/sharp.node': only('@img/sharp-linux-x64/lib', 'sharp-linux-x64-*.node'),
      [`sharp-libvips-linux-x64/lib/${basename(vips)}`]: vips,
    },
    entry: 'sharp-linux-x64/lib/sharp.node',
    loader: /node_modules\/sharp\/dist\/sharp\.mjs$/,
    rewrite: (source, nativeModule) =>
      source.includes('@img/sharp-linux-x64/sharp.node') ? `import sharp from '${nativeModule}'\nexport default sharp\n` : source,
  },
  tokenizers: {
    files: { 'tokenizers.node': 'tokenizers/tokenizers.linux-x64-gnu.node' },
    entry: 'tokenizers.node',
    loader: /node_modules\/tokenizers\/index\.js$/,
    rewrite: napiRs,
  },
  // The addon finds the runtime beside it ($ORIGIN).
  onnxruntime: {
    files: {
      'onnxruntime_binding.node': 'onnxruntime-node/bin/napi-v6/linux/x64/onnxruntime_binding.node',
      'libonnxruntime.so.1': 'onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime.so.1',
    },
    entry: 'onnxruntime_binding.node',
    loader: /node_modules\/onnxruntime-node\/dist\/binding\.js$/,
    rewrite: (source, nativeModule) => source.replace(/require\(`\.\.\/bin\/[^`]*`\)/, `require('${nativeModule}').default`),
  },
  // Dawn, WebGPU's implementation.
  webgpu: {
    files: { 'libwebgpu_wrapper.so': 'bun-webgpu-linux-x64/libwebgpu_wrapper.so' },
    entry: 'libwebgpu_wrapper.so',
    library: 'zwgpuCreateInstance',
    loader: /node_modules\/bun-webgpu-linux-x64\/index\.ts$/,
    rewrite: (source, nativeModule) =>
      source.includes('libwebgpu_wrapper.so') ? `import path from '${nativeModule}'\nexport default path\n` : source,
  },
}

/** `root` is the repository, `store` keeps packed files between builds. Packs everything before it returns. */
export function nativePlugin(root: string, store: string): BunPlugin {
  mkdirSync(store, { recursive: true })
  // The resolver caches folder listings when the build starts, so files made during it would not be found.
  const sources = new Map(Object.entries(parts).map(([name, part]) => [name, moduleSource(root, store, name, part)]))
  return {
    name: 'native',
    setup(build) {
      build.onResolve({ filter: /^native:/ }, ({ path }) => ({ path: path.slice('native:'.length), namespace: 'native' }))
      build.onLoad({ filter: /.*/, namespace: 'native' }, ({ path }) => ({ contents: sources.get(path)!, loader: 'ts' }))
      for (const [name, part] of Object.entries(parts)) {
        build.onLoad({ filter: part.loader }, async ({ path }) => {
          const source = await Bun.file(path).text()
          const contents = part.rewrite(source, `native:${name}`)
          if (contents === source) throw new Error(`${path}: the package's loader has changed; adapt src/build/native-plugin.ts`)
          return { contents, loader: 'js' }
        })
      }
    },
  }
}

/** A module that imports the packed files and loads the addon when it is first required. */
function moduleSource(root: string, store: string, name: string, part: Part): string {
  const key = new Bun.CryptoHasher('sha256')
  const imports: string[] = []
  const files = Object.entries(part.files).map(([at, from], i) => {
    const raw = readFileSync(resolve(root, 'node_modules', from))
    const sha256 = new Bun.CryptoHasher('sha256').update(raw).digest('hex')
    key.update(`${at} ${sha256}\n`)
    imports.push(`import f${i} from ${JSON.stringify(pack(raw, sha256, at, store))} with { type: 'file' }`)
    return `{ at: ${JSON.stringify(at)}, file: f${i}, sha256: '${sha256}', size: ${raw.length} }`
  })
  const group = `{ name: '${name}', key: '${key.digest('hex').slice(0, 16)}', files: [${files.join(', ')}], entry: '${part.entry}' }`
  return `${imports.join('\n')}
import { loadAddon, unpackLibrary } from ${JSON.stringify(resolve(root, 'src/lib/native.ts'))}
export default ${part.library === undefined ? `loadAddon(${group})` : `unpackLibrary(${group}, '${part.library}')`}
`
}

/** zstd level 19 takes a minute for large libraries, so the result is kept by content. A name ending in .node would make Bun load it itself. */
function pack(raw: Uint8Array, sha256: string, at: string, store: string): string {
  const path = join(store, `${basename(at)}-${sha256.slice(0, 16)}.zst`)
  if (!existsSync(path)) {
    const fresh = `${path}.${process.pid}`
    writeFileSync(fresh, Bun.zstdCompressSync(raw, { level: 19 }))
    renameSync(fresh, path)
  }
  return path
}
