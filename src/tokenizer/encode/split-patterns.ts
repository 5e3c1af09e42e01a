// The pre-tokenizer patterns of the byte-level BPE families, by their exact text in tokenizer.json. All have in common that a letter never
// shares a token with a following character other than a letter, a mark or an apostrophe: pieces.ts cuts there.
import { category, space } from './unicode.ts'

const contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
const tail = ' ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+'
const cased = (suffix: string) =>
  '[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+' +
  `${suffix}|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*${suffix}`
const slashTail = ' ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+'

/** What the ByteLevel pre-tokenizer does by itself with `use_regex`. */
export const gpt2Pattern = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

/** Family → the Regex of each Split, in order. */
export const splitFamilies: Record<string, readonly string[]> = {
  gpt2: [gpt2Pattern],
  // Llama 3, GLM 4, MiniMax, and everything built on cl100k
  llama3: [`${contractions}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|${tail}`],
  // Qwen 2, 2.5, 3
  qwen2: [`${contractions}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|${tail}`],
  qwen35: [
    `${contractions}|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
  ],
  // gpt-oss, Llama 4
  o200k: [`${cased(`${contractions}?`)}|\\p{N}{1,3}|${slashTail}`],
  // Mistral Nemo and later
  tekken: [`${cased('')}|\\p{N}|${slashTail}`],
  // DeepSeek V3, R1
  deepseek3: [
    '\\p{N}{1,3}',
    '[一-龥\u3040-ゟ゠-ヿ]+',
    '[!"#$%&\'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+' +
      '| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+',
  ],
}

const known = new Set(Object.values(splitFamilies).flat())

/** The pattern as a JavaScript regex with the native engine's meaning, or undefined when it is not one of the known ones. */
export function splitRegex(pattern: string): RegExp | undefined {
  if (!known.has(pattern)) return undefined
  const source = pattern
    .replaceAll('[!"#$%&\'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~]', '[!-\\/:-@\\[-`\\{-~]')
    .replaceAll('[\\r\\n/]', '[\\r\\n\\/]')
    .replace(/\\p\{(\w+)\}/g, (_, name: string) => category(name))
    .replaceAll('(?!\\S)', `(?![^${space}])`)
    .replaceAll('\\s', space)
  return new RegExp(source, 'gv')
}

/** Cuts `text` at every match, gaps included, as a Split with behaviour Isolated does. */
export function splitBy(pattern: RegExp, text: string): string[] {
  const words = text.match(pattern)
  if (!words) return [text]
  let covered = 0
  for (let i = 0; i < words.length; i++) covered += words[i]!.length
  return covered === text.length ? words : [...pausingSplit(pattern, text)]
}

/** The same, one by one: for texts so long that the caller wants to pause in between. */
export function* pausingSplit(pattern: RegExp, text: string): Generator<string> {
  let end = 0
  for (const match of text.matchAll(pattern)) {
    if (match.index > end) yield text.slice(end, match.index)
    yield match[0]
    end = match.index + match[0].length
  }
  if (end < text.length) yield text.slice(end)
}
