// Native parts that travel inside the executable: unpacked once, on first use, into a content-addressed folder, and loaded from there.
// Synchronous, because packages load their addon from a require(). Safe against many processes at once, damaged folders and noexec mounts.
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

export interface NativeFile {
  /** Place inside the group's folder; libraries find each other by it ($ORIGIN). */
  at: string
  /** Path of the embedded, zstd-packed file. */
  file: string
  /** Of the unpacked bytes. */
  sha256: string
  size: number
}

export interface NativeGroup {
  name: string
  /** Changes with any byte of any file. */
  key: string
  files: readonly NativeFile[]
  /** The file to load, by its `at`. */
  entry: string
}

/** Folders to unpack into, best first. The first that can be written and executed from is used. */
export function cacheRoots(env: Readonly<Record<string, string | undefined>> = process.env): string[] {
  const roots: string[] = []
  if (env.DYN_CACHE_DIR) roots.push(join(env.DYN_CACHE_DIR, 'native'))
  if (env.XDG_CACHE_HOME) roots.push(join(env.XDG_CACHE_HOME, 'dynamo-sglang', 'native'))
  const home = env.HOME ?? homedir()
  if (home && home !== '/') roots.push(join(home, '.cache', 'dynamo-sglang', 'native'))
  roots.push(join(tmpdir(), `dynamo-sglang-${process.getuid?.() ?? 0}`, 'native'))
  return roots
}

const loaded = new Map<string, unknown>()

/** Loads an embedded N-API addon and returns its exports. Throws when no cache root works, with the reason of each. */
export function loadAddon(group: NativeGroup): unknown {
  const known = loaded.get(group.key)
  if (known !== undefined) return known
  const holder = { exports: {} }
  unpack(group, cacheRoots(), (path) => process.dlopen(holder, path))
  loaded.set(group.key, holder.exports)
  return holder.exports
}

/** Path of an embedded library that is no addon; it has been opened once and has `symbol`. Throws as `loadAddon` does. */
export function unpackLibrary(group: NativeGroup, symbol: string): string {
  const known = loaded.get(group.key)
  if (known !== undefined) return known as string
  // Not imported above: most processes need no foreign functions.
  const { dlopen } = require('bun:ffi') as typeof import('bun:ffi')
  const folder = unpack(group, cacheRoots(), (path) => void dlopen(path, { [symbol]: { args: [], returns: 'void' } }))
  const path = join(folder, group.entry)
  loaded.set(group.key, path)
  return path
}

/** Unpacks if needed and calls `use` with the entry's path; a root where either throws is given up for the next one. Returns the folder. */
export function unpack(group: NativeGroup, roots: readonly string[], use: (entryPath: string) => void): string {
  const reasons: string[] = []
  for (const root of roots) {
    const folder = join(root, `${group.name}-${group.key}`)
    try {
      mkdirSync(root, { recursive: true, mode: 0o700 })
      refuseForeign(root)
      if (!complete(folder, group.files)) write(group, root, folder)
      use(join(folder, group.entry))
      return folder
    } catch (thrown) {
      reasons.push(`${root}: ${(thrown as Error).message}`)
    }
  }
  throw new Error(
    `cannot unpack ${group.name}; set DYN_CACHE_DIR to a folder that is writable and not mounted noexec (${reasons.join('; ')})`,
  )
}

/** A folder in /tmp that another user made could hold another user's code. */
function refuseForeign(root: string): void {
  const info = lstatSync(root)
  const uid = process.getuid?.()
  if (uid !== undefined && info.uid !== uid && info.uid !== 0) throw new Error('belongs to another user')
}

/** Sizes only: the folder appears whole by a rename, so a wrong size means damage and a right one that nothing happened. */
function complete(folder: string, files: readonly NativeFile[]): boolean {
  return files.every((file) => statSync(join(folder, file.at), { throwIfNoEntry: false })?.size === file.size)
}

function write(group: NativeGroup, root: string, folder: string): void {
  const fresh = mkdtempSync(join(root, `.${group.name}-`))
  try {
    for (const file of group.files) {
      const raw = Bun.zstdDecompressSync(readFileSync(file.file))
      const sum = new Bun.CryptoHasher('sha256').update(raw).digest('hex')
      if (sum !== file.sha256) throw new Error(`${file.at} is damaged inside the executable`)
      const path = join(fresh, file.at)
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, raw)
      chmodSync(path, 0o555)
    }
    try {
      renameSync(fresh, folder)
    } catch (thrown) {
      // Another process was faster, which is fine, or a damaged folder is in the way.
      if (complete(folder, group.files)) return
      rmSync(folder, { recursive: true, force: true })
      try {
        renameSync(fresh, folder)
      } catch {
        if (!complete(folder, group.files)) throw thrown
      }
    }
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
}
