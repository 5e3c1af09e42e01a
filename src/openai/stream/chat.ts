// Chat answers as `chat.completion.chunk` events.
import type { Pipeline, TextRequest } from '../../pipeline/types.ts'
import { chatLogprobs } from '../answer/logprobs.ts'
import { type StreamOptions, type StreamShape, streamText } from './text.ts'

const shape: StreamShape = {
  object: 'chat.completion.chunk',
  before: (choice, first) => `{"index":${choice},"delta":{${first ? '"role":"assistant",' : ''}"content":"`,
  after: (logprobs) => (logprobs === undefined ? PLAIN : `"},"logprobs":${JSON.stringify(chatLogprobs(logprobs))},"finish_reason":null}`),
  finish(choice, { reason, matched }, first) {
    const delta = first ? '{"role":"assistant","content":""}' : '{}'
    return `{"index":${choice},"delta":${delta},"logprobs":null,"finish_reason":"${reason}","matched_stop":${JSON.stringify(matched)}}`
  },
}
const PLAIN = '"},"logprobs":null,"finish_reason":null}'

/** Streams one chat request; see streamText for what the promise gives. */
export function streamChat(request: TextRequest, pipeline: Pipeline, options: StreamOptions, signal: AbortSignal): Promise<Response> {
  return streamText([request], shape, pipeline, options, signal)
}
