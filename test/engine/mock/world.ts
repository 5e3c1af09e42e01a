// What the mock's tests share: an engine with small numbers, and a sink that writes down everything it is told.

import type { Engine } from '../../../src/engine/engine.ts'
import { type MockOptions, mockEngine } from '../../../src/engine/mock/engine.ts'
import { type MockConfig, resolveOptions } from '../../../src/engine/mock/options.ts'
import { Sequence, type SequencePlan } from '../../../src/engine/mock/rank/sequence.ts'
import { planRequest } from '../../../src/engine/mock/request.ts'
import type { EngineUsage, Finish, GenerateRequest, PromptLogprobs, RowLogprobs, SamplingParams, Sink } from '../../../src/engine/types.ts'
import type { AppError } from '../../../src/lib/errors.ts'

export const eos = 2
export const textIds = Array.from({ length: 100 }, (_, i) => 100 + i)

/** Bytes as ids above 300: enough of a tokenizer for JSON. */
export const encode = (text: string) => Uint32Array.from(new TextEncoder().encode(text), (byte) => 300 + byte)
export const decode = (ids: readonly number[]) => new TextDecoder().decode(Uint8Array.from(ids, (id) => id - 300))

export function options(more: Partial<MockOptions> = {}): MockOptions {
  return { modelPath: 'tiny', vocabSize: 1000, textIds, eosIds: [eos], encode, speedupRatio: 1_000_000, ...more }
}

export const config = (more: Partial<MockOptions> = {}): MockConfig => resolveOptions(options(more))

export async function started(more: Partial<MockOptions> = {}): Promise<Engine> {
  const engine = mockEngine(options(more))
  await engine.start()
  return engine
}

export class Recorder implements Sink {
  readonly ids: number[] = []
  readonly logprobs: (RowLogprobs | undefined)[] = []
  readonly calls: string[] = []
  prompt: PromptLogprobs | undefined
  finish: Finish | undefined
  usage: EngineUsage | undefined
  error: AppError | undefined
  onPush: () => void = () => {}

  push(ids: Int32Array, start: number, end: number, logprobs: RowLogprobs | undefined): void {
    this.calls.push('push')
    this.ids.push(...ids.subarray(start, end))
    this.logprobs.push(logprobs)
    this.onPush()
  }
  promptLogprobs(logprobs: PromptLogprobs): void {
    this.calls.push('prompt')
    this.prompt = logprobs
  }
  end(finish: Finish, usage: EngineUsage): void {
    this.calls.push('end')
    this.finish = finish
    this.usage = usage
  }
  fail(error: AppError): void {
    this.calls.push('fail')
    this.error = error
  }
}

let count = 0

export function request(prompt: ArrayLike<number>, sampling: SamplingParams = {}, more: Partial<GenerateRequest> = {}): GenerateRequest {
  return { requestId: `r${count++}`, promptIds: Uint32Array.from(prompt), sampling, stream: true, ...more }
}

/** Runs one request to its end. */
export async function answer(engine: Engine, asked: GenerateRequest, signal = new AbortController().signal): Promise<Recorder> {
  const sink = new Recorder()
  await engine.generate(asked, sink, signal)
  return sink
}

/** A sequence as the engine would make it, for tests of a rank alone. */
export function sequence(asked: GenerateRequest, settings: MockConfig): Sequence {
  const plan = planRequest(asked, { prompt: undefined, script: undefined }, new Recorder(), settings)
  if ('kind' in plan) throw new Error(plan.message)
  return new Sequence(plan satisfies SequencePlan, settings)
}
