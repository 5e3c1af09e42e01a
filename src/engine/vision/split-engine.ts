// A language engine whose pictures are encoded elsewhere: the rows are there before the engine hears of the request, so that nothing of SGLang waits for an encoder, and a
// picture that cannot be encoded is an answer and not a hang.
import { toAppError } from '../../lib/errors.ts'
import type { Engine } from '../engine.ts'
import type { GenerateRequest, MediaItem, Sink } from '../types.ts'
import { aboutPart } from './about-part.ts'
import { checkEmbeddings } from './embeddings.ts'
import type { VisionEncoder } from './vision.ts'

/** `engine` with `encoder` for its pictures; the encoder is started and stopped by who made it, and text is served also while there is none. */
export function splitEngine(engine: Engine, encoder: VisionEncoder): Engine {
  let encoding = 0

  async function generate(request: GenerateRequest, sink: Sink, signal: AbortSignal): Promise<void> {
    if (request.media === undefined || signal.aborted) return engine.generate(request, sink, signal)
    encoding++
    let media: MediaItem[]
    try {
      media = await encodeAll(encoder, request.media, signal)
    } catch (thrown) {
      if (!signal.aborted) return sink.fail(toAppError(thrown))
      const usage = { promptTokens: request.promptIds.length, completionTokens: 0, cachedTokens: 0, reasoningTokens: 0 }
      return sink.end({ kind: 'abort', message: 'Aborted while its pictures were encoded' }, usage)
    } finally {
      encoding--
    }
    return engine.generate({ ...request, media }, sink, signal)
  }

  return {
    get info() {
      return engine.info
    },
    get ready() {
      return engine.ready
    },
    generate,
    start: () => engine.start(),
    embed: (request, signal) => engine.embed(request, signal),
    control: (name, args) => engine.control(name, args),
    metrics: () => engine.metrics(),
    inFlight: () => engine.inFlight() + encoding,
    on: (listener) => engine.on(listener),
    stop: (deadlineMs) => engine.stop(deadlineMs),
  }
}

/** Side by side; the first failure ends the others. */
async function encodeAll(encoder: VisionEncoder, media: readonly MediaItem[], signal: AbortSignal): Promise<MediaItem[]> {
  const ended = new AbortController()
  const either = AbortSignal.any([signal, ended.signal])
  try {
    return await Promise.all(media.map((item) => encoded(encoder, item, either)))
  } catch (error) {
    ended.abort()
    throw error
  }
}

async function encoded(encoder: VisionEncoder, item: MediaItem, signal: AbortSignal): Promise<MediaItem> {
  try {
    const { rows, dim, type, bytes } = checkEmbeddings(await encoder.encode(item, signal), item, encoder.info)
    return { ...item, rows: { rows, dim, type, bytes } }
  } catch (thrown) {
    throw aboutPart(thrown, item.param)
  }
}
