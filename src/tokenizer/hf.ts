// The tokenizer of a model folder with Hugging Face files. Byte-level and sentencepiece BPE are encoded and decoded by our own code
// (several times faster for short texts, synchronous, cached); everything else by the native library.
import { join } from 'node:path'
import { AppError } from '../lib/errors.ts'
import { flat } from '../lib/flat.ts'
import { byteLevelDecoder } from './decode/byte-level.ts'
import type { Detokenizer, TokenNames } from './decode/detokenizer.ts'
import { nativeDecoder } from './decode/native.ts'
import { sentencePieceDecoder, sentencePieceRules } from './decode/sentencepiece.ts'
import { effectiveJson, type TokenizerConfigJson } from './effective-json.ts'
import { generationCache } from './encode/cache.ts'
import { cachedEncoder } from './encode/encoder.ts'
import { encodePlan } from './encode/plan.ts'
import { readJsonIfThere } from './json-file.ts'
import { type NativeTokenizer, nativeTokenizer } from './native.ts'
import type { Tokenizer } from './tokenizer.ts'
import { partsOf, type TokenizerJson } from './tokenizer-json.ts'
import { readVocabulary } from './vocabulary.ts'

export interface TokenizerOptions {
  /** Bound of the cache of encoded pieces of text; default 32 MiB. */
  pieceCacheBytes?: number
  /** Bound of the cache of encoded words; default 16 MiB. */
  wordCacheBytes?: number
}

/** A Tokenizer that also tells what it does itself. */
export interface HfTokenizer extends Tokenizer {
  readonly encoder: 'own' | 'native'
  readonly decoder: 'byte-level' | 'sentencepiece' | 'native'
}

/** Reads tokenizer.json and tokenizer_config.json of a folder. Throws AppError `model_files_invalid` when there is none or it is broken. */
export async function loadTokenizer(folder: string, options: TokenizerOptions = {}): Promise<HfTokenizer> {
  const path = join(folder, 'tokenizer.json')
  const config = (await readJsonIfThere<TokenizerConfigJson>(join(folder, 'tokenizer_config.json'))) ?? {}
  const json = await readJsonIfThere<TokenizerJson>(path)
  if (!json) {
    throw new AppError('model_files_invalid', {
      message:
        `no tokenizer.json in ${folder}; supported: Hugging Face tokenizer.json (tiktoken or sentencepiece files alone are not). ` +
        'Save one with transformers (AutoTokenizer.from_pretrained(...).save_pretrained(...)), or start with --use-sglang-tokenizer.',
      param: '--model-path',
    })
  }
  try {
    if (typeof json.model?.vocab !== 'object') throw new Error('it has no model.vocab')
    return await makeTokenizer(effectiveJson(json, config), options)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new AppError('model_files_invalid', { message: `${path}: ${reason}`, param: '--model-path', cause })
  }
}

/** @param json as it shall apply (effective-json.ts) */
export async function makeTokenizer(json: TokenizerJson, options: TokenizerOptions = {}): Promise<HfTokenizer> {
  const vocabulary = readVocabulary(json)
  const plan = encodePlan(json, vocabulary.ids, options.wordCacheBytes ?? 16 << 20)
  let loading: Promise<NativeTokenizer> | undefined
  const native = () => {
    loading ??= nativeTokenizer(json)
    return loading
  }
  const pieceCacheBytes = options.pieceCacheBytes ?? 32 << 20
  const encode = plan ? cachedEncoder({ plan, pieceCacheBytes }) : wholeTextEncoder(await native(), pieceCacheBytes)
  const { detokenizer, decoder } = await detokenizerOf(json, vocabulary.names, native)
  return {
    vocabSize: vocabulary.names.size,
    specialIds: vocabulary.specialIds,
    tokenToId: vocabulary.tokenToId,
    encode,
    decode: detokenizer.decode,
    token: detokenizer.token,
    stream: detokenizer.stream,
    encoder: plan ? 'own' : 'native',
    decoder,
  }
}

async function detokenizerOf(json: TokenizerJson, names: TokenNames, native: () => Promise<NativeTokenizer>) {
  const parts = partsOf(json.decoder, 'decoders')
  const only = (detokenizer: Detokenizer, decoder: HfTokenizer['decoder']) => ({ detokenizer, decoder })
  if (parts.length === 1 && parts[0]!.type === 'ByteLevel') return only(byteLevelDecoder(names), 'byte-level')
  const rules = sentencePieceRules(json)
  if (rules) return only(sentencePieceDecoder(names, rules), 'sentencepiece')
  return only(nativeDecoder(names, (await native()).joinTokens), 'native')
}

/** For models that we do not encode ourselves: a text is cached as a whole. */
function wholeTextEncoder(native: NativeTokenizer, cacheBytes: number): Tokenizer['encode'] {
  const cache = generationCache<Uint32Array>(cacheBytes)
  return (text, addSpecial) => {
    const wellFormed = text.toWellFormed()
    const key = (addSpecial ? '+' : '-') + wellFormed
    const known = cache.get(key)
    if (known) return known.slice()
    return native.encode(wellFormed, addSpecial).then((ids) => {
      cache.set(flat(key), ids.slice(), key.length * 2 + ids.byteLength + 128)
      return ids
    })
  }
}

/** Ids that decode to complete, printable text and are not special: what the mock engine may say. */
export function readableIds(tokenizer: Tokenizer): number[] {
  const ids: number[] = []
  for (let id = 0; id < tokenizer.vocabSize; id++) {
    if (tokenizer.specialIds.has(id)) continue
    const text = tokenizer.decode([id], false)
    const { text: shown } = tokenizer.token(id)
    if (shown !== '' && text !== '' && /^[\p{L}\p{N}\p{P}\p{S} ]+$/u.test(shown) && !shown.includes('\ufffd') && !/^<.+>$/.test(shown))
      ids.push(id)
  }
  return ids
}
