// A model given by its hub name ("Qwen/Qwen3-0.6B") to a local folder with its small files: config, tokenizer, chat template. Weights are
// the engine's business. Own code over fetch: the hub's client library always takes whole snapshots and has no offline mode.
import { homedir } from 'node:os'
import { join } from 'node:path'
import { AppError } from '../lib/errors.ts'
import { cachedModels, cachedSnapshot, exists, linkBlob, type RepoCache, repoCache, writeRef } from './hub-cache.ts'
import { downloadBlob, hubFetch } from './hub-download.ts'

export interface HubOptions {
  /** Without a trailing slash. */
  endpoint: string
  token: string | undefined
  /** Where the models--org--name folders are. */
  cacheFolder: string
  /** Only the cache is asked. */
  offline: boolean
  /** Branch, tag or commit. */
  revision: string
  /** Gets a line for people while files are loaded. */
  progress: (line: string) => void
}

/** The variables of huggingface_hub that count here; any other keys are ignored. */
export type HubEnv = Readonly<Record<string, string | undefined>>

/** The options that huggingface_hub would take from these variables; `revision` undefined means main. */
export function hubOptions(env: HubEnv, revision: string | undefined, progress: HubOptions['progress']): HubOptions {
  const home = env.HF_HOME || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface')
  return {
    endpoint: (env.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, ''),
    token: env.HF_TOKEN || env.HUGGING_FACE_HUB_TOKEN || undefined,
    cacheFolder: env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE || join(home, 'hub'),
    offline: ['1', 'on', 'yes', 'true'].includes((env.HF_HUB_OFFLINE ?? '').toLowerCase()),
    revision: revision ?? 'main',
    progress,
  }
}

/** True for what can be a name on the hub: NAME or ORG/NAME, and no path. */
export function isHubName(name: string): boolean {
  return /^(?:[\w][\w.-]*\/)?[\w][\w.-]*$/.test(name) && !name.includes('..') && !name.includes('--')
}

/**
 * The folder of a model given as a path or a hub name; downloads what is missing. Throws AppError `model_path_not_found` (no such folder,
 * no such model, not in the cache while offline, no access) or `model_files_invalid`.
 */
export async function resolveModel(nameOrPath: string, options: HubOptions): Promise<string> {
  if (await exists(nameOrPath)) return nameOrPath
  if (!isHubName(nameOrPath)) throw notFound(`no folder ${nameOrPath}`)
  const { cacheFolder, progress, revision } = options
  const cache = repoCache(cacheFolder, nameOrPath)
  const cached = await cachedSnapshot(cache, revision)
  if (options.offline) {
    if (cached) return cached
    const known = await cachedModels(cacheFolder)
    throw notFound(
      `${nameOrPath} is no folder, and HF_HUB_OFFLINE is set while ${cacheFolder} does not have it` +
        (known.length > 0 ? `; it has: ${known.join(', ')}` : ''),
    )
  }
  try {
    return await download(nameOrPath, cache, options)
  } catch (error) {
    // The hub cannot be asked: what was loaded before still serves.
    if (cached && !(error instanceof AppError)) {
      progress(`${nameOrPath}: ${options.endpoint} not reached (${(error as Error).message}); using the cached files`)
      return cached
    }
    if (error instanceof AppError) throw error
    throw notFound(`${nameOrPath} is no folder, and ${options.endpoint} was not reached: ${(error as Error).message}`, error)
  }
}

/** The files that serving without weights needs. */
const wanted =
  /^(?:config|generation_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|chat_template|preprocessor_config|processor_config|video_preprocessor_config|modules|config_sentence_transformers|model_index)\.json$|^(?:additional_chat_templates\/)?[^/]+\.jinja$|^\d_Pooling\/config\.json$/

async function download(model: string, cache: RepoCache, { endpoint, token, revision, progress }: HubOptions): Promise<string> {
  const answer = await hubFetch(`${endpoint}/api/models/${model}/revision/${encodeURIComponent(revision)}`, token, 'GET')
  if (answer.status === 401 || answer.status === 403)
    throw notFound(
      `${model}: ${endpoint} refuses access (${answer.status}): a private, gated or unknown model; is HF_TOKEN set and allowed?`,
    )
  if (answer.status === 404) throw notFound(`${model} is no folder, and ${endpoint} has no such model or revision (${revision})`)
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`)
  const info = (await answer.json()) as { sha: string; siblings?: { rfilename: string }[] }
  const files = (info.siblings ?? []).map((file) => file.rfilename).filter((name) => wanted.test(name))
  let count = 0
  for (const file of files) {
    count++
    if (await exists(join(cache.snapshot(info.sha), file))) continue
    progress(`${model}: ${file} (${count} of ${files.length})`)
    const path = file.split('/').map(encodeURIComponent).join('/')
    const etag = await downloadBlob(`${endpoint}/${model}/resolve/${info.sha}/${path}`, token, (name) => cache.blob(name))
    await linkBlob(cache, info.sha, file, etag)
  }
  // Last: a reference means that the snapshot's small files are whole.
  await writeRef(cache, revision, info.sha)
  return cache.snapshot(info.sha)
}

function notFound(message: string, cause?: unknown): AppError {
  return new AppError('model_path_not_found', { message, param: '--model-path', cause })
}
