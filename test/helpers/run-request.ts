// Runs one request on an engine and keeps everything its sink was told; a call after the terminal is an error.
import type { Engine } from '../../src/engine/engine.ts'
import type { EngineUsage, Finish, GenerateRequest, PromptLogprobs, RowLogprobs, SamplingParams, Sink } from '../../src/engine/types.ts'
import type { AppError } from '../../src/lib/errors.ts'

export interface Ran {
  ids: number[]
  /** Tokens in each push. */
  rows: number[]
  values: number[]
  tops: NonNullable<RowLogprobs['top']>
  prompt: PromptLogprobs | undefined
  finish: Finish | undefined
  usage: EngineUsage | undefined
  error: AppError | undefined
  terminals: number
}

let count = 0

/** A request for `max_new_tokens` greedy tokens, unless said otherwise. */
export function requestOf(
  promptIds: readonly number[],
  sampling: SamplingParams = {},
  more: Partial<GenerateRequest> = {},
): GenerateRequest {
  return {
    requestId: `test-${++count}`,
    promptIds: Uint32Array.from(promptIds),
    sampling: { temperature: 0, max_new_tokens: 16, ...sampling },
    stream: true,
    ...more,
  }
}

/** Resolves at the terminal. `onPush` is called after each push with what there is so far. */
export async function runRequest(
  engine: Engine,
  request: GenerateRequest,
  signal: AbortSignal = new AbortController().signal,
  onPush: (ran: Ran) => void = () => {},
): Promise<Ran> {
  const ran: Ran = {
    ids: [],
    rows: [],
    values: [],
    tops: [],
    prompt: undefined,
    finish: undefined,
    usage: undefined,
    error: undefined,
    terminals: 0,
  }
  const late = (what: string) => {
    if (ran.terminals > 0) throw new Error(`${what} after the terminal`)
  }
  const sink: Sink = {
    push(ids, start, end, logprobs) {
      late('push')
      for (let i = start; i < end; i++) ran.ids.push(ids[i]!)
      ran.rows.push(end - start)
      if (logprobs) {
        ran.values.push(...logprobs.values)
        ran.tops.push(...(logprobs.top ?? []))
      }
      onPush(ran)
    },
    promptLogprobs(prompt) {
      late('promptLogprobs')
      if (ran.prompt) throw new Error('promptLogprobs twice')
      ran.prompt = prompt
    },
    end(finish, usage) {
      late('end')
      ran.terminals++
      ran.finish = finish
      ran.usage = { ...usage }
    },
    fail(error) {
      late('fail')
      ran.terminals++
      ran.error = error
    },
  }
  await engine.generate(request, sink, signal)
  if (ran.terminals !== 1) throw new Error(`generate resolved after ${ran.terminals} terminals`)
  return ran
}

/** Polls until `condition` holds; rejects after `limitMs` with `what`. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, limitMs = 50_000): Promise<void> {
  const end = performance.now() + limitMs
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`waited ${limitMs} ms in vain: ${what}`)
    await Bun.sleep(5)
  }
}
