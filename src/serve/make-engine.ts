// The engine that the options name. Each kind is imported only when it is used.
import type { Engine } from '../engine/engine.ts'
import { leadingEngine } from '../engine/sglang/node/leading.ts'
import type { SglangOptions } from '../engine/sglang/options.ts'
import { log } from '../lib/log.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'
import type { EngineOptions } from './options.ts'

/** What the model's files tell a mock engine, which has no model of its own to ask. */
export interface MockModel {
  path: string
  vocabSize: number
  eosIds: number[]
  contextLength: number
  tokenizer: Tokenizer
  textIds: number[]
}

/** `name` begins its lines in the log. `mockModel` is asked for only by the mock. Throws AppError `invalid_setting`. */
export async function makeEngine(
  options: EngineOptions,
  serve: { version: string },
  mockModel: () => Promise<MockModel>,
  name = 'sglang',
): Promise<Engine> {
  switch (options.kind) {
    case 'http': {
      const { httpEngine } = await import('../engine/sglang/http/engine.ts')
      return httpEngine({ url: options.url, onNotice: (text) => log.warn({ engine: 'http' }, text) })
    }
    case 'sglang': {
      const { sglangEngine } = await import('../engine/sglang/engine.ts')
      const engine = sglangEngine(sglangOptions(options, name))
      return options.nodes === undefined ? engine : leadingEngine(engine)
    }
    case 'mock':
      return mock(options, serve, await mockModel())
  }
}

/** What SGLang's engines and nodes are told; `name` begins their lines in the log. */
export function sglangOptions(options: Extract<EngineOptions, { kind: 'sglang' }>, name: string): SglangOptions {
  const { python, args, env, cacheDir, level, silenceMs, kvEvents } = options
  return {
    ...{ python, args, env, cacheDir, silenceMs, kvEvents },
    ...(level === undefined ? {} : { level }),
    onLine: (line) => process.stderr.write(`[${name}] ${line}\n`),
    onNotice: (text) => log.warn({ engine: name }, text),
  }
}

async function mock(options: Extract<EngineOptions, { kind: 'mock' }>, serve: { version: string }, model: MockModel): Promise<Engine> {
  const { mockEngine } = await import('../engine/mock/engine.ts')
  const { tokenizer } = model
  const { speedupRatio, failure, seed, blockSize, dpSize, maxRunningRequests, totalKvTokens, isEmbedding, kvEvents, role, bootstrapHost } =
    options
  return mockEngine({
    modelPath: model.path,
    vocabSize: model.vocabSize,
    textIds: model.textIds,
    eosIds: model.eosIds,
    encode: (text) => tokenizer.encode(text, false),
    contextLength: model.contextLength,
    version: serve.version,
    ...{ speedupRatio, failure, seed, blockSize, dpSize, maxRunningRequests, totalKvTokens, isEmbedding, kvEvents, role, bootstrapHost },
  })
}
