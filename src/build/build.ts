// `bun run build`: everything into one executable, dist/dynamo-sglang. `--if-stale` builds only when a source has changed since the last build.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { nativePlugin } from './native-plugin.ts'

const root = join(import.meta.dir, '../..')
const usage = `bun src/build/build.ts [--if-stale] [--target=linux-x64] [--outfile=PATH] [--no-bytecode]`
const targets = ['linux-x64']

interface Options {
  ifStale: boolean
  target: string
  outfile: string
  bytecode: boolean
}

/** Builds; returns false when the executable was up to date. Throws with the bundler's messages when it fails. */
export async function build(options: Options): Promise<boolean> {
  if (!targets.includes(options.target)) {
    throw new Error(`no build for '${options.target}': the native parts are embedded for ${targets.join(', ')} only`)
  }
  const stamp = `${options.outfile}.sources`
  const hash = await sourceHash(options)
  if (options.ifStale && existsSync(options.outfile) && existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return false
  mkdirSync(dirname(options.outfile), { recursive: true })
  // A running copy keeps its file: the new one is made beside it and takes its name at the end.
  const fresh = `${options.outfile}.${process.pid}`
  try {
    const result = await Bun.build({
      entrypoints: [join(root, 'src/main.ts')],
      compile: { target: `bun-${options.target}` as 'bun-linux-x64', outfile: fresh, autoloadDotenv: false, autoloadBunfig: false },
      minify: true,
      // A command loads the modules that it imports, and no bytecode of the others: a third of the time until /live.
      splitting: true,
      bytecode: options.bytecode,
      format: 'esm',
      sourcemap: 'none',
      plugins: [nativePlugin(root, join(root, '.native-cache'))],
      throw: false,
    })
    if (!result.success) throw new Error(result.logs.map(String).join('\n'))
    renameSync(fresh, options.outfile)
  } finally {
    rmSync(fresh, { force: true })
  }
  writeFileSync(stamp, hash)
  return true
}

/** What goes into the executable, by path from the root. Folder by folder: a pattern with a slash inside its braces matches nothing. */
export function sourceFiles(): string[] {
  const folders = ['src', 'kernels', 'models/tiny-llm', 'models/tiny-vl']
  const files = folders.flatMap((folder) => [...new Bun.Glob(`${folder}/**/*`).scanSync({ cwd: root, onlyFiles: true })])
  return [...files.filter((path) => !/(^|\/)__pycache__\/|\.onnx$/.test(path)).sort(), 'package.json', 'bun.lock']
}

/** Changes with any of these files, and with the Bun that builds them. Needs no git. */
async function sourceHash(options: Options): Promise<string> {
  const hash = new Bun.CryptoHasher('sha256')
  hash.update(`${Bun.version} ${Bun.revision} ${options.target} ${options.bytecode}\n`)
  for (const path of sourceFiles()) hash.update(`${path}\n`).update(await Bun.file(join(root, path)).bytes())
  return hash.digest('hex')
}

function options(argv: readonly string[]): Options {
  const chosen: Options = { ifStale: false, target: 'linux-x64', outfile: join(root, 'dist/dynamo-sglang'), bytecode: true }
  for (const word of argv) {
    const [flag, value = ''] = word.split('=', 2) as [string, string?]
    if (flag === '--if-stale') chosen.ifStale = true
    else if (flag === '--no-bytecode') chosen.bytecode = false
    else if (flag === '--target') chosen.target = value
    else if (flag === '--outfile') chosen.outfile = value
    else throw new Error(`unknown option ${word}\n${usage}`)
  }
  return chosen
}

if (import.meta.main) {
  try {
    const chosen = options(process.argv.slice(2))
    const started = performance.now()
    if (await build(chosen)) {
      const megabytes = (statSync(chosen.outfile).size / 1e6).toFixed(1)
      console.error(`built ${chosen.outfile}: ${megabytes} MB in ${((performance.now() - started) / 1000).toFixed(1)} s`)
    }
  } catch (thrown) {
    console.error(`build failed: ${(thrown as Error).message}`)
    process.exit(1)
  }
}
