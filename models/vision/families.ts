// Tiny checkpoints of the families beside Qwen: Gemma 3, InternVL, LLaVA, Llama 4 and, for sounds, Qwen2-Audio, with field and weight names as published. They are written whole under
// models/made/ when a test wants them; git keeps none of it.
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gemma3 } from './families/gemma3.ts'
import { internVl } from './families/internvl.ts'
import { llama4 } from './families/llama4.ts'
import { llava } from './families/llava.ts'
import { qwen2Audio } from './families/qwen2-audio.ts'
import { weightsFile } from './layers.ts'

const fixtures = { gemma3, internvl: internVl, llava, llama4, qwen2Audio } as const
export type FamilyName = keyof typeof fixtures
/** Those that see. */
export type PictureFamily = Exclude<FamilyName, 'qwen2Audio'>

/** Writes the model (half a megabyte; the same bytes every time). Returns its folder. */
export function writeFamily(name: FamilyName): string {
  const { folder, tokens, eos, named, template, files, weights } = fixtures[name]()
  const path = join(import.meta.dir, '../made', folder)
  mkdirSync(path, { recursive: true })
  const tokenizerConfig = {
    clean_up_tokenization_spaces: false,
    model_max_length: 8192,
    // Not the published class: transformers 5 rewrites the pre-tokenizers of those that it knows.
    tokenizer_class: 'PreTrainedTokenizerFast',
    ...(processorOf(files) === undefined ? {} : { processor_class: processorOf(files) }),
    ...named,
    chat_template: template,
  }
  const tensors = weightsFile(11, weights)
  const header = JSON.parse(
    new TextDecoder().decode(tensors.subarray(8, 8 + Number(new DataView(tensors.buffer, tensors.byteOffset).getBigUint64(0, true)))),
  )
  const names = Object.keys(header).filter((one) => one !== '__metadata__')
  const all: Record<string, string | Uint8Array> = {
    'chat_template.jinja': template,
    'tokenizer.json': json(tokens.tokenizer),
    'tokenizer_config.json': json(tokenizerConfig),
    'generation_config.json': json({ eos_token_id: eos.map((one) => tokens.ids[one]) }),
    ...Object.fromEntries(Object.entries(files).map(([file, content]) => [file, json(content)])),
    'model.safetensors': tensors,
    // SGLang looks here for what of a Llama 4 is in the files; without it even a tower that is there is not loaded.
    'model.safetensors.index.json': json({ metadata: {}, weight_map: Object.fromEntries(names.map((one) => [one, 'model.safetensors'])) }),
  }
  for (const [file, content] of Object.entries(all)) {
    // Whole or not at all: tests of several processes may come here at once.
    const half = join(path, `${file}.${process.pid}`)
    writeFileSync(half, content)
    renameSync(half, join(path, file))
  }
  return path
}

const processorOf = (files: Record<string, unknown>) =>
  (files['processor_config.json'] as { processor_class?: string } | undefined)?.processor_class

const json = (value: unknown) => `${JSON.stringify(value, null, 1)}\n`

if (import.meta.main) for (const name of Object.keys(fixtures)) console.log(writeFamily(name as FamilyName))
