// Completions as `text_completion` events.
import type { Pipeline, TextRequest } from '../../pipeline/types.ts'
import { completionLogprobs } from '../answer/logprobs.ts'
import { type StreamOptions, type StreamShape, streamText } from './text.ts'

const PLAIN = '","logprobs":null,"finish_reason":null}'

/** `text_offset` goes on from chunk to chunk, so the shape remembers where each choice is. */
function completionShape(): StreamShape {
  const offsets: number[] = []
  return {
    object: 'text_completion',
    before: (choice) => `{"index":${choice},"text":"`,
    after(logprobs, choice) {
      if (logprobs === undefined) return PLAIN
      const offset = offsets[choice] ?? 0
      offsets[choice] = logprobs.reduce((end, token) => end + token.text.length, offset)
      return `","logprobs":${JSON.stringify(completionLogprobs(logprobs, offset))},"finish_reason":null}`
    },
    finish: (choice, { reason, matched }) =>
      `{"index":${choice},"text":"","logprobs":null,"finish_reason":"${reason}","matched_stop":${JSON.stringify(matched)}}`,
  }
}

/** Streams one request for each prompt of a batch; choice i of prompt p has index p·n+i. */
export function streamCompletion(
  requests: readonly TextRequest[],
  pipeline: Pipeline,
  options: StreamOptions,
  signal: AbortSignal,
): Promise<Response> {
  return streamText(requests, completionShape(), pipeline, options, signal)
}
