// The engine that the options name. Each kind is imported only when it is used.
import type { Engine } from '../engine/engine.ts'
import { leadingEngine } from '../engine/sglang/node/leading.ts'
import type { SglangOptions } from '../engine/sglang/options.ts'
import { splitEngine } from '../engine/vision/split-engine.ts'
import { timedPrefill } from '../engine/vision/timed-prefill.ts'
import type { VisionEncoder } from '../engine/vision/vision.ts'
import { log } from '../lib/log.ts'
import { stageTimer } from '../lib/vision-stages.ts'
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

export interface EngineParts {
  version: string
  /** Asked for only by the mock. */
  mockModel(): Promise<MockModel>
  /** Begins its lines in the log. */
  name: string
  /** The model's name in metrics. */
  model: string
  /** Encodes its pictures; undefined: it does so itself. */
  pictures: VisionEncoder | undefined
}

/** Throws AppError `invalid_setting`. */
export async function makeEngine(options: EngineOptions, parts: EngineParts): Promise<Engine> {
  const { pictures, name, model } = parts
  const whole = timedPrefill(await wholeEngine(options, parts, name), stageTimer(model))
  const engine = pictures === undefined ? whole : splitEngine(whole, pictures)
  return options.kind === 'sglang' && options.nodes !== undefined ? leadingEngine(engine) : engine
}

async function wholeEngine(options: EngineOptions, { version, mockModel }: EngineParts, name: string): Promise<Engine> {
  switch (options.kind) {
    case 'http': {
      const { httpEngine } = await import('../engine/sglang/http/engine.ts')
      return httpEngine({ url: options.url, onNotice: (text) => log.warn({ engine: 'http' }, text) })
    }
    case 'sglang': {
      const { sglangEngine } = await import('../engine/sglang/engine.ts')
      return sglangEngine(sglangOptions(options, name))
    }
    case 'mock':
      return mock(options, version, await mockModel())
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

async function mock(options: Extract<EngineOptions, { kind: 'mock' }>, version: string, model: MockModel): Promise<Engine> {
  const { mockEngine } = await import('../engine/mock/engine.ts')
  const { tokenizer } = model
  const { kind: _, ...played } = options
  return mockEngine({
    ...played,
    modelPath: model.path,
    vocabSize: model.vocabSize,
    textIds: model.textIds,
    eosIds: model.eosIds,
    encode: (text) => tokenizer.encode(text, false),
    contextLength: model.contextLength,
    version,
  })
}
