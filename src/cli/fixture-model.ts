// The fixture models, embedded: `serve` without a model path tries the server with one, wherever the executable lies. Without weights, which only SGLang reads.
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import flux from '../../models/tiny-FLUX.1-dev/model_index.json' with { type: 'text' }
import template from '../../models/tiny-llm/chat_template.jinja' with { type: 'text' }
import config from '../../models/tiny-llm/config.json' with { type: 'text' }
import generation from '../../models/tiny-llm/generation_config.json' with { type: 'text' }
import tokenizer from '../../models/tiny-llm/tokenizer.json' with { type: 'text' }
import tokenizerConfig from '../../models/tiny-llm/tokenizer_config.json' with { type: 'text' }
import vlTemplate from '../../models/tiny-vl/chat_template.jinja' with { type: 'text' }
import vlConfig from '../../models/tiny-vl/config.json' with { type: 'text' }
import vlGeneration from '../../models/tiny-vl/generation_config.json' with { type: 'text' }
import vlPreprocessor from '../../models/tiny-vl/preprocessor_config.json' with { type: 'text' }
import vlTokenizer from '../../models/tiny-vl/tokenizer.json' with { type: 'text' }
import vlTokenizerConfig from '../../models/tiny-vl/tokenizer_config.json' with { type: 'text' }
import wan from '../../models/tiny-Wan2.1-T2V-1.3B/model_index.json' with { type: 'text' }

// TypeScript knows JSON files only as objects; imported as text they are strings.
const models: Readonly<Record<FixtureName, Readonly<Record<string, unknown>>>> = {
  'tiny-llm': {
    'chat_template.jinja': template,
    'config.json': config,
    'generation_config.json': generation,
    'tokenizer.json': tokenizer,
    'tokenizer_config.json': tokenizerConfig,
  },
  'tiny-vl': {
    'chat_template.jinja': vlTemplate,
    'config.json': vlConfig,
    'generation_config.json': vlGeneration,
    'preprocessor_config.json': vlPreprocessor,
    'tokenizer.json': vlTokenizer,
    'tokenizer_config.json': vlTokenizerConfig,
  },
  'tiny-FLUX.1-dev': { 'model_index.json': flux },
  'tiny-Wan2.1-T2V-1.3B': { 'model_index.json': wan },
}

export type FixtureName = 'tiny-llm' | 'tiny-vl' | 'tiny-FLUX.1-dev' | 'tiny-Wan2.1-T2V-1.3B'

/** Writes the model into the first usable of `roots`, once, and returns its folder. Throws when none is usable. */
export function fixtureModel(name: FixtureName, roots: readonly string[]): string {
  const files = models[name]
  const hash = new Bun.CryptoHasher('sha256')
  for (const [path, text] of Object.entries(files)) hash.update(`${path}\n${text}\n`)
  const key = hash.digest('hex').slice(0, 16)
  const reasons: string[] = []
  for (const root of roots) {
    const folder = join(root, `${name}-${key}`, name)
    try {
      if (!existsSync(folder)) write(files, root, folder)
      return folder
    } catch (thrown) {
      reasons.push((thrown as Error).message)
    }
  }
  throw new Error(`cannot write the fixture model; give --model-path or set DYN_CACHE_DIR (${reasons.join('; ')})`)
}

function write(files: Readonly<Record<string, unknown>>, root: string, folder: string): void {
  mkdirSync(root, { recursive: true, mode: 0o700 })
  const name = basename(folder)
  const fresh = mkdtempSync(join(root, `.${name}-`))
  try {
    mkdirSync(join(fresh, name))
    for (const [path, text] of Object.entries(files)) writeFileSync(join(fresh, name, path), text as string)
    // Fails when another process was faster; its folder has the same content.
    if (!existsSync(folder)) renameSync(fresh, dirname(folder))
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
}
