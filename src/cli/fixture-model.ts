// The fixture model, embedded: `serve` without a model path tries the server with it, wherever the executable lies. Without weights, which only SGLang reads.
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import template from '../../models/tiny-llm/chat_template.jinja' with { type: 'text' }
import config from '../../models/tiny-llm/config.json' with { type: 'text' }
import generation from '../../models/tiny-llm/generation_config.json' with { type: 'text' }
import tokenizer from '../../models/tiny-llm/tokenizer.json' with { type: 'text' }
import tokenizerConfig from '../../models/tiny-llm/tokenizer_config.json' with { type: 'text' }

// TypeScript knows JSON files only as objects; imported as text they are strings.
const files: Readonly<Record<string, unknown>> = {
  'chat_template.jinja': template,
  'config.json': config,
  'generation_config.json': generation,
  'tokenizer.json': tokenizer,
  'tokenizer_config.json': tokenizerConfig,
}

/** Writes the model into the first usable of `roots`, once, and returns its folder. Throws when none is usable. */
export function fixtureModel(roots: readonly string[]): string {
  const hash = new Bun.CryptoHasher('sha256')
  for (const [name, text] of Object.entries(files)) hash.update(`${name}\n${text}\n`)
  const key = hash.digest('hex').slice(0, 16)
  const reasons: string[] = []
  for (const root of roots) {
    const folder = join(root, `tiny-llm-${key}`, 'tiny-llm')
    try {
      if (!existsSync(folder)) write(root, dirname(folder))
      return folder
    } catch (thrown) {
      reasons.push((thrown as Error).message)
    }
  }
  throw new Error(`cannot write the fixture model; give --model-path or set DYN_CACHE_DIR (${reasons.join('; ')})`)
}

function write(root: string, folder: string): void {
  mkdirSync(root, { recursive: true, mode: 0o700 })
  const fresh = mkdtempSync(join(root, '.tiny-llm-'))
  try {
    mkdirSync(join(fresh, 'tiny-llm'))
    for (const [name, text] of Object.entries(files)) writeFileSync(join(fresh, 'tiny-llm', name), text as string)
    // Fails when another process was faster; its folder has the same content.
    if (!existsSync(folder)) renameSync(fresh, folder)
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
}
