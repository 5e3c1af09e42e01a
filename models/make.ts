// Writes every fixture model from seeds: `bun models/make.ts`. With --check it writes nothing and fails when a file differs;
// with --weights it also writes those of the diffusion and vision models, which git does not keep.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { tinyFlux } from './diffusion/flux.ts'
import { smallFiles, writeWeights } from './diffusion/pipeline.ts'
import { tinyWan } from './diffusion/wan.ts'
import { tinyLlada2 } from './tiny-llada2.ts'
import { type Qwen3Shape, qwen3Config, qwen3Weights } from './tiny-qwen3.ts'
import { byteLevelTokenizer, llmEosIds, llmVisionIds, llmVocabSize, sentencePieceTokenizer } from './tokenizers.ts'
import type { ChatShape } from './vision/layers.ts'
import { tinyVl } from './vision/tiny-vl.ts'
import { tinyVl3 } from './vision/tiny-vl3.ts'

const chatTemplate = readFileSync(join(import.meta.dir, 'chatml.jinja'), 'utf8')

/** Path under models/ → content. */
export function fixtures(): Map<string, string | Uint8Array> {
  const base = { vocabSize: llmVocabSize, eosIds: llmEosIds, padId: llmEosIds[1]!, contextLength: 8192 }
  return new Map([
    ...qwen3('tiny-llm', { ...base, tied: false }, 1),
    ...qwen3('tiny-embed', { ...base, tied: true }, 2),
    ...sentencePiece(),
    ...diffusion(),
    ...textDiffusion(),
    ...vision(),
  ])
}

function qwen3(folder: string, shape: Qwen3Shape, seed: number): [string, string | Uint8Array][] {
  return [
    [`${folder}/config.json`, json(qwen3Config(shape))],
    ...chatFiles(folder, shape),
    [`${folder}/model.safetensors`, qwen3Weights(shape, seed)],
  ]
}

/** Tokenizer and template of the chat models. */
function chatFiles(
  folder: string,
  shape: Pick<Qwen3Shape, 'padId' | 'eosIds' | 'contextLength'>,
  more: Record<string, string> = {},
): [string, string][] {
  return [
    [`${folder}/generation_config.json`, json({ bos_token_id: shape.padId, eos_token_id: shape.eosIds, pad_token_id: shape.padId })],
    [`${folder}/tokenizer.json`, json(byteLevelTokenizer())],
    [
      `${folder}/tokenizer_config.json`,
      json({
        add_bos_token: false,
        bos_token: null,
        chat_template: chatTemplate,
        clean_up_tokenization_spaces: false,
        eos_token: '<|im_end|>',
        model_max_length: shape.contextLength,
        pad_token: '<|endoftext|>',
        // Not Qwen2TokenizerFast: transformers 5 rewrites that class's pre-tokenizer.
        tokenizer_class: 'PreTrainedTokenizerFast',
        unk_token: null,
        ...more,
      }),
    ],
    [`${folder}/chat_template.jinja`, chatTemplate],
  ]
}

/** Only for tokenizer tests: no weights. */
function sentencePiece(): [string, string][] {
  const names = { bos_token: '<s>', eos_token: '</s>', unk_token: '<unk>' }
  return [
    ['tiny-sp/tokenizer.json', json(sentencePieceTokenizer())],
    ['tiny-sp/tokenizer_config.json', json({ add_bos_token: true, ...names, tokenizer_class: 'LlamaTokenizerFast' })],
    ['tiny-sp/config.json', json({ architectures: ['LlamaForCausalLM'], eos_token_id: 2, max_position_embeddings: 4096, vocab_size: 800 })],
  ]
}

/** Without their weights, which are not kept in git: `--weights` writes those. */
function diffusion(): [string, string][] {
  return [tinyFlux, tinyWan].flatMap(smallFiles).map(([path, content]) => [path, typeof content === 'string' ? content : json(content)])
}

/** Its weights are written by `--weights`, or by the tests that need them. */
export const llada2 = tinyLlada2({ textIds: llmVocabSize, eosIds: llmEosIds, padId: llmEosIds[1]!, contextLength: 2048 }, 3)

function textDiffusion(): [string, string][] {
  const { folder, files, texts } = llada2
  return [
    ...Object.entries(files).map(([name, content]): [string, string] => [`${folder}/${name}`, json(content)]),
    ...Object.entries(texts).map(([name, text]): [string, string] => [`${folder}/${name}`, text]),
    ...chatFiles(folder, { eosIds: llmEosIds, padId: llmEosIds[1]!, contextLength: 2048 }),
  ]
}

const chatShape: ChatShape = {
  vocabSize: llmVocabSize,
  eosIds: llmEosIds,
  padId: llmEosIds[1]!,
  contextLength: 8192,
  visionIds: llmVisionIds,
}

/** Their weights are written by `--weights`, or by the tests that need them. */
export const visionModels = { 'tiny-vl': tinyVl(chatShape, 4), 'tiny-vl3': tinyVl3(chatShape, 5) }

function vision(): [string, string][] {
  return Object.values(visionModels).flatMap(({ folder, files }) => {
    const { processor_class } = files['preprocessor_config.json'] as { processor_class: string }
    return [
      ...Object.entries(files).map(([name, content]): [string, string] => [`${folder}/${name}`, json(content)]),
      ...chatFiles(folder, chatShape, { processor_class }),
    ]
  })
}

/** One entry a line for objects that people read; vocabularies stay compact enough too. */
function json(value: unknown): string {
  return `${JSON.stringify(value, null, 1).replace(/\[\n\s+("(?:[^"\\]|\\.)*"),\n\s+("(?:[^"\\]|\\.)*")\n\s+\]/g, '[$1, $2]')}\n`
}

if (import.meta.main) {
  const check = process.argv.includes('--check')
  let differing = 0
  const all = fixtures()
  for (const [name, content] of all) {
    const path = join(import.meta.dir, name)
    const wanted = Buffer.from(content as string)
    let found: Buffer | undefined
    try {
      found = readFileSync(path)
    } catch {
      // not written yet
    }
    if (found?.equals(wanted)) continue
    differing++
    if (check) console.error(`differs: models/${name}`)
    else {
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, wanted)
      console.log(`wrote models/${name} (${wanted.length} bytes)`)
    }
  }
  if (process.argv.includes('--weights'))
    for (const pipeline of [tinyFlux, tinyWan, llada2, ...Object.values(visionModels)]) console.log(`weights of ${writeWeights(pipeline)}`)
  const folders = [...new Set([...all.keys()].map((name) => `models/${name.split('/')[0]}`))]
  const state =
    check && differing > 0 ? `${differing} of them differ` : check || differing === 0 ? 'all as they should be' : `${differing} written`
  console.log(`${all.size} files in ${folders.join(', ')}: ${state}`)
  if (check && differing > 0) process.exit(1)
}
