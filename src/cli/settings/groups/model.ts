// The model, its tokenizer and its names.
import { flag, integer, list, text } from '../setting.ts'

const shared = { shared: true } as const
const engine = { commands: ['serve', 'worker'] as const }

export const modelSettings = {
  modelPath: text('model', '--model-path --model', 'DYN_MODEL_PATH', undefined, 'Folder of the model, or its name on the hub', shared),
  servedModelName: list('model', '--served-model-name', 'DYN_SERVED_MODEL_NAME', 'Name clients use; further names are aliases', shared),
  tokenizerPath: text('model', '--tokenizer-path', '', undefined, "Folder of the tokenizer when it is not the model's", shared),
  revision: text('model', '--revision', '', undefined, 'Branch, tag or commit of a model from the hub', shared),
  contextLength: integer('model', '--context-length', '', undefined, 'Prompt and answer together, in tokens', { ...shared, min: 1 }),
  customJinjaTemplate: text(
    'model',
    '--custom-jinja-template',
    'DYN_CUSTOM_JINJA_TEMPLATE',
    undefined,
    "Chat template file instead of the model's own; not with --use-sglang-tokenizer",
  ),
  useSglangTokenizer: flag(
    'model',
    '--use-sglang-tokenizer',
    'DYN_SGL_USE_TOKENIZER',
    'Deprecated: SGLang tokenizes, and only chat completions are served',
    { ...engine, deprecated: 'this server tokenizes faster, and for every endpoint' },
  ),
  tokenizerCacheMb: integer('model', '--tokenizer-cache-mb', 'DYN_TOKENIZER_CACHE_MB', 32, 'Memory for tokenized prefixes; 0 is off', {
    min: 0,
  }),
}
