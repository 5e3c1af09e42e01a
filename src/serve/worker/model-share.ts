// A model's small files (tokenizer, config, chat template) travel from a worker to frontends that do not have them:
// the card tells names and checksums, the worker answers `model.file`, the frontend keeps copies by content.
import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { ModelCard } from '../../engine/remote/card.ts'
import { AppError } from '../../lib/errors.ts'

export type ModelFilesTable = ModelCard['files']

/** What a frontend reads of a model folder; weights never travel. */
const shared = [
  'added_tokens.json',
  'chat_template.jinja',
  'chat_template.json',
  'config.json',
  'generation_config.json',
  'merges.txt',
  'preprocessor_config.json',
  'processor_config.json',
  'special_tokens_map.json',
  'tokenizer.json',
  'tokenizer.model',
  'tokenizer_config.json',
  'video_preprocessor_config.json',
  'vocab.json',
]
const customName = 'custom-chat-template.jinja'
const chunkBytes = 1 << 20
/** A card says how long a file is; nobody's disk is filled by a wrong one. */
const mostBytes = 512 << 20

export interface SharedModel {
  files: ModelFilesTable
  /** Set when the user gave a template of their own: its name among the files. */
  customTemplate?: string
  /** Answers `model.file`: up to 1 MiB of a file from an offset. Throws `invalid_value` for a file that is not shared. */
  read(args: Record<string, unknown>): Promise<{ bytes: Uint8Array; end: boolean }>
}

/** Worker side: `folder` is the model's, `tokenizerFolder` where its tokenizer lies. */
export async function shareModel(folder: string, tokenizerFolder: string, customTemplate: string | undefined): Promise<SharedModel> {
  const paths = new Map<string, string>()
  for (const name of shared)
    for (const from of [folder, tokenizerFolder])
      if ((await stat(join(from, name)).catch(() => undefined))?.isFile()) paths.set(name, join(from, name))
  if (customTemplate !== undefined) paths.set(customName, customTemplate)
  const files: Record<string, { bytes: number; sha256: string }> = {}
  for (const [name, path] of paths) files[name] = await describe(path)
  return {
    files,
    ...(customTemplate === undefined ? {} : { customTemplate: customName }),
    async read({ name, offset }) {
      const path = paths.get(String(name))
      if (path === undefined) throw new AppError('invalid_value', { message: `There is no shared file ${String(name)}.`, param: 'name' })
      const start = Math.max(0, Number(offset) || 0)
      const bytes = await Bun.file(path)
        .slice(start, start + chunkBytes)
        .bytes()
      return { bytes, end: bytes.length < chunkBytes }
    },
  }
}

/** Frontend side: a folder with the card's files, in place if this machine has them, else a copy under `cacheDir`. Rejects with `model_files_invalid`. */
export async function obtainModel(
  model: Pick<ModelCard, 'path' | 'files'>,
  cacheDir: string,
  call: (args: { name: string; offset: number }) => Promise<unknown>,
): Promise<string> {
  if (await holds(model.path, model.files)) return model.path
  const names = Object.keys(model.files).sort()
  const key = new Bun.CryptoHasher('sha256').update(names.map((name) => `${name} ${model.files[name]!.sha256}\n`).join('')).digest('hex')
  const folder = join(cacheDir, 'models', key.slice(0, 32))
  await mkdir(folder, { recursive: true })
  for (const name of names) {
    const path = join(folder, safeName(name))
    if (!(await matches(path, model.files[name]!))) await download(name, path, model.files[name]!, call)
  }
  return folder
}

async function download(
  name: string,
  path: string,
  wanted: { bytes: number; sha256: string },
  call: (args: { name: string; offset: number }) => Promise<unknown>,
): Promise<void> {
  const parts: Uint8Array[] = []
  let offset = 0
  for (;;) {
    const { bytes, end } = (await call({ name, offset })) as { bytes: Uint8Array; end: boolean }
    parts.push(bytes.slice())
    offset += bytes.length
    if (offset > Math.min(wanted.bytes, mostBytes)) break
    if (end || bytes.length === 0) break
  }
  const temporary = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`
  await Bun.write(temporary, Buffer.concat(parts))
  if (!(await matches(temporary, wanted))) {
    await rm(temporary, { force: true })
    throw new AppError('model_files_invalid', {
      message: `The worker's ${name} is not what its card promises; is the model folder being changed?`,
    })
  }
  await rename(temporary, path)
}

async function describe(path: string): Promise<{ bytes: number; sha256: string }> {
  const bytes = await Bun.file(path).bytes()
  return { bytes: bytes.length, sha256: new Bun.CryptoHasher('sha256').update(bytes).digest('hex') }
}

async function matches(path: string, wanted: { bytes: number; sha256: string }): Promise<boolean> {
  const found = await stat(path).catch(() => undefined)
  if (found?.size !== wanted.bytes) return false
  return (await describe(path)).sha256 === wanted.sha256
}

/** All of the card's files lie in `folder`, unchanged; a template of the worker's own does not count as the model's. */
async function holds(folder: string, files: ModelFilesTable): Promise<boolean> {
  for (const [name, wanted] of Object.entries(files)) if (!(await matches(join(folder, safeName(name)), wanted))) return false
  return Object.keys(files).length > 0
}

function safeName(name: string): string {
  const safe = basename(name)
  if (safe !== name || safe === '' || safe === '.' || safe === '..')
    throw new AppError('model_files_invalid', { message: `A worker's card names a file '${name}', which is not a plain name.` })
  return safe
}
