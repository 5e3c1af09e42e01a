// Finds a model's chat template on disk, in transformers' order, and the special tokens that templates print.
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '../lib/errors.ts'
import { makeChatTemplate, type TemplateSet } from './render.ts'
import type { ChatTemplate } from './template.ts'

export interface LoadOptions {
  /** --custom-jinja-template: a file that replaces every template of the model. */
  customPath?: string | undefined
}

const tokenNames = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token']

/**
 * The chat template of the model in `folder`. A model without one gets a template whose render throws `invalid_template`:
 * completions still work. Rejects with AppError `invalid_setting` (the custom file) or `model_files_invalid` (the model's), with the line.
 */
export async function loadChatTemplate(folder: string, options: LoadOptions = {}): Promise<ChatTemplate> {
  const config = await readJson(join(folder, 'tokenizer_config.json'))
  const specialTokens = specialTokensOf(config, await readJson(join(folder, 'special_tokens_map.json')))
  if (options.customPath !== undefined) return loadCustom(options.customPath, specialTokens)
  const templates = await findTemplates(folder, config)
  if (Object.keys(templates).length === 0) return noTemplate(folder)
  return makeChatTemplate({ templates, specialTokens }, (name) => `chat template '${name}' of ${folder}`)
}

async function loadCustom(path: string, specialTokens: Record<string, string>): Promise<ChatTemplate> {
  const param = '--custom-jinja-template'
  let source: string
  try {
    source = await readFile(path, 'utf8')
  } catch (cause) {
    throw new AppError('invalid_setting', { message: `${param}: the file ${path} cannot be read.`, param, cause })
  }
  try {
    return makeChatTemplate({ templates: { default: source }, specialTokens }, () => `template ${path}`)
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause
    throw new AppError('invalid_setting', { message: `${param}: ${cause.message}`, param, cause })
  }
}

/** Sources by name. Files win over tokenizer_config.json, which wins over the processor's chat_template.json. */
async function findTemplates(folder: string, config: Record<string, unknown>): Promise<Record<string, string>> {
  const files: TemplateSet['templates'] = {}
  const main = join(folder, 'chat_template.jinja')
  if (existsSync(main)) files.default = await readFile(main, 'utf8')
  const more = join(folder, 'additional_chat_templates')
  if (existsSync(more))
    for (const name of (await readdir(more)).sort())
      if (name.endsWith('.jinja')) files[name.slice(0, -'.jinja'.length)] = await readFile(join(more, name), 'utf8')
  if (Object.keys(files).length > 0) return files
  const own = named(config.chat_template)
  return Object.keys(own).length > 0 ? own : named((await readJson(join(folder, 'chat_template.json'))).chat_template)
}

/** A template setting: one source, or a list of { name, template }. */
function named(setting: unknown): Record<string, string> {
  if (typeof setting === 'string') return { default: setting }
  const templates: Record<string, string> = {}
  if (Array.isArray(setting))
    for (const entry of setting)
      if (typeof entry?.name === 'string' && typeof entry.template === 'string') templates[entry.name] = entry.template
  if (!Array.isArray(setting) && typeof setting === 'object' && setting !== null)
    for (const [name, source] of Object.entries(setting)) if (typeof source === 'string') templates[name] = source
  return templates
}

/** The named special tokens, given as a text or as an added token's object. */
function specialTokensOf(...configs: Record<string, unknown>[]): Record<string, string> {
  const tokens: Record<string, string> = {}
  for (const name of tokenNames)
    for (const config of configs) {
      const value = config[name]
      const text = typeof value === 'string' ? value : (value as { content?: unknown } | null | undefined)?.content
      if (typeof text === 'string') tokens[name] ??= text
    }
  return tokens
}

async function readJson(path: string): Promise<Record<string, unknown>> {
  if (!existsSync(path)) return {}
  try {
    const value = JSON.parse(await readFile(path, 'utf8'))
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  } catch (cause) {
    throw new AppError('model_files_invalid', { message: `${path} is not valid JSON: ${(cause as Error).message}`, cause })
  }
  throw new AppError('model_files_invalid', { message: `${path} must hold a JSON object.` })
}

function noTemplate(folder: string): ChatTemplate {
  const message = `The model in ${folder} has no chat template. Use /v1/completions, or start with --custom-jinja-template FILE.`
  return {
    id: 'none',
    render() {
      throw new AppError('invalid_template', { message, param: 'messages' })
    },
  }
}
