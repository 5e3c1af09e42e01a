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
  /** Where models--org--name folders are. */
  cacheFolder: string
  offline: boolean
  /** Branch, tag or commit. */
  revision: string
  /** Gets a line for people while files are loaded. */
  progress: (line: string) => void
}

export type HubEnv = Partial<
  Record<
    | 'HF_ENDPOINT'
    | 'HF_TOKEN'
    | 'HUGGING_FACE_HUB_TOKEN'
    | 'HF_HOME'
    | 'HF_HUB_CACHE'
    | 'HUGGINGFACE_HUB_CACHE'
    | 'HF_HUB_OFFLINE'
    | 'XDG_CACHE_HOME',
    string
  >
>

/** The options that huggingface_hub would take from these variables. */
export function hubOptions(env: HubEnv, revision = 'main', progress: HubOptions['progress'] = () => {}): HubOptions {
  const home = env.HF_HOME || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface')
  return {
    endpoint: (env.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, ''),
    token: env.HF_TOKEN || env.HUGGING_FACE_HUB_TOKEN || undefined,
    cacheFolder: env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE || join(home, 'hub'),
    offline: ['1', 'on', 'yes', 'true'].includes((env.HF_HUB_OFFLINE ?? '').toLowerCase()),
    revision,
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
  const cache = repoCache(options.cacheFolder, nameOrPath)
  const cached = await cachedSnapshot(cache, options.revision)
  if (options.offline) {
    if (cached) return cached
    const known = await cachedModels(options.cacheFolder)
    throw notFound(
      `${nameOrPath} is no folder, and HF_HUB_OFFLINE is set while ${options.cacheFolder} does not have it` +
        (known.length > 0 ? `; it has: ${known.join(', ')}` : ''),
    )
  }
  try {
    return await download(nameOrPath, cache, options)
  } catch (error) {
    // The hub cannot be asked: what was loaded before still serves.
    if (cached && !(error instanceof AppError)) {
      options.progress(`${nameOrPath}: ${options.endpoint} not reached (${(error as Error).message}); using the cached files`)
      return cached
    }
    if (error instanceof AppError) throw error
    throw notFound(`${nameOrPath} is no folder, and ${options.endpoint} was not reached: ${(error as Error).message}`, error)
  }
}

/** The files that serving without weights needs. */
const wanted =
  /^(?:config|generation_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|chat_template|preprocessor_config|processor_config|video_preprocessor_config|modules|config_sentence_transformers|model_index)\.json$|^(?:additional_chat_templates\/)?[^/]+\.jinja$|^\d_Pooling\/config\.json$/

async function download(model: string, cache: RepoCache, options: HubOptions): Promise<string> {
  const { endpoint, revision } = options
  const answer = await hubFetch(`${endpoint}/api/models/${model}/revision/${encodeURIComponent(revision)}`, options.token, 'GET')
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
    options.progress(`${model}: ${file} (${count} of ${files.length})`)
    const path = file.split('/').map(encodeURIComponent).join('/')
    const etag = await downloadBlob(`${endpoint}/${model}/resolve/${info.sha}/${path}`, options.token, (name) => cache.blob(name))
    await linkBlob(cache, info.sha, file, etag)
  }
  // Last: a reference means that the snapshot's small files are whole.
  await writeRef(cache, revision, info.sha)
  return cache.snapshot(info.sha)
}

function notFound(message: string, cause?: unknown): AppError {
  return new AppError('model_path_not_found', { message, param: '--model-path', cause })
}
