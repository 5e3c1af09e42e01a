// An engine whose requests with pictures are timed until their first token.
import type { StageTimer } from '../../lib/vision-stages.ts'
import type { Engine } from '../engine.ts'
import type { Sink } from '../types.ts'

/** Text passes through as it is, and so does what a decode engine continues: its prompt is computed, and timed, by the prefill engine. */
export function timedPrefill(engine: Engine, time: StageTimer): Engine {
  return {
    get info() {
      return engine.info
    },
    get ready() {
      return engine.ready
    },
    generate(request, sink, signal) {
      const elsewhere = request.bootstrap !== undefined && engine.info.role === 'decode'
      return engine.generate(request, request.media === undefined || elsewhere ? sink : timed(sink, time), signal)
    },
    start: () => engine.start(),
    embed: (request, signal) => engine.embed(request, signal),
    control: (name, args) => engine.control(name, args),
    metrics: () => engine.metrics(),
    inFlight: () => engine.inFlight(),
    on: (listener) => engine.on(listener),
    stop: (deadlineMs) => engine.stop(deadlineMs),
  }
}

function timed(sink: Sink, time: StageTimer): Sink {
  const asked = performance.now()
  let told = false
  return {
    push(ids, start, end, logprobs) {
      if (!told) time('prefill', performance.now() - asked)
      told = true
      sink.push(ids, start, end, logprobs)
    },
    ...(sink.promptLogprobs && { promptLogprobs: (logprobs) => sink.promptLogprobs?.(logprobs) }),
    end: (finish, usage) => sink.end(finish, usage),
    fail: (error) => sink.fail(error),
  }
}
