// The cache layout of huggingface_hub, shared with the engine's Python: models--org--name/{refs,snapshots,blobs}.
import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'

export interface RepoCache {
  folder: string
  snapshot(commit: string): string
  blob(etag: string): string
}

/** @param cacheFolder usually ~/.cache/huggingface/hub */
export function repoCache(cacheFolder: string, model: string): RepoCache {
  const folder = join(cacheFolder, `models--${model.replaceAll('/', '--')}`)
  return { folder, snapshot: (commit) => join(folder, 'snapshots', commit), blob: (etag) => join(folder, 'blobs', etag) }
}

/** The snapshot folder of a revision (branch, tag or commit) that has a config.json; undefined when it is not cached. */
export async function cachedSnapshot(cache: RepoCache, revision: string): Promise<string | undefined> {
  const ref = await readFile(join(cache.folder, 'refs', revision), 'utf8').catch(() => undefined)
  const folder = cache.snapshot(ref?.trim() || revision)
  return (await exists(join(folder, 'config.json'))) ? folder : undefined
}

/** Remembers which commit a branch or tag stood for. */
export async function writeRef(cache: RepoCache, revision: string, commit: string): Promise<void> {
  if (revision === commit) return
  const path = join(cache.folder, 'refs', revision)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, commit)
}

/** Makes snapshots/COMMIT/FILE point to the blob. */
export async function linkBlob(cache: RepoCache, commit: string, file: string, etag: string): Promise<void> {
  const path = join(cache.snapshot(commit), file)
  await mkdir(dirname(path), { recursive: true })
  try {
    await symlink(relative(dirname(path), cache.blob(etag)), path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error // another process was first
  }
}

/** Follows links: a link to a missing blob does not exist. */
export async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}

/** Names of models in the cache, for messages. */
export async function cachedModels(cacheFolder: string): Promise<string[]> {
  const entries = await readdir(cacheFolder).catch(() => [])
  return entries.filter((name) => name.startsWith('models--')).map((name) => name.slice(8).replaceAll('--', '/'))
}
