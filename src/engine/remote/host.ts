// The worker's end: answers the request plane for one engine, and for whatever else a worker is asked by name.
import { AppError, toAppError } from '../../lib/errors.ts'
import { log } from '../../lib/log.ts'
import type { IncomingStream, PlaneService } from '../../transport/request-plane.ts'
import type { Engine } from '../engine.ts'
import type { EngineUsage, Finish, PromptLogprobs, RowLogprobs, Sink } from '../types.ts'
import {
  decodeEmbed,
  decodeGenerate,
  decodeNamed,
  encodeBody,
  encodeFinish,
  encodePromptLogprobs,
  encodeRowsWithLogprobs,
  encodeVector,
  messages,
  operations,
  RowWriter,
} from './protocol.ts'

export interface HostExtras {
  /** Answered under `call`: `card`, `kv.dump`, `model.file`. A result is one msgpack value of at most 64 MiB; larger ones are asked for in parts. */
  readonly calls?: Readonly<Record<string, (args: Record<string, unknown>) => Promise<unknown>>>
  /** True from the moment that nothing new may start; what runs goes on. Default: never. */
  readonly draining?: () => boolean
}

/** A service that runs `engine` for whoever opens a stream. A caller that cancels or is gone aborts its request in the engine. */
export function hostEngine(engine: Engine, extras: HostExtras = {}): PlaneService {
  const writer = new RowWriter()
  const calls = extras.calls ?? {}
  const answer = (stream: IncomingStream, result: Promise<Uint8Array>) => {
    result.then(
      (message) => {
        stream.send(message)
        stream.end()
      },
      (thrown) => stream.fail(reported(thrown)),
    )
  }
  const value = async (result: Promise<unknown>) => encodeBody(messages.value, await result)
  const run: Record<number, (head: Uint8Array, stream: IncomingStream) => void> = {
    [operations.generate](head, stream) {
      const request = decodeGenerate(head)
      engine.generate(request, new StreamSink(stream, writer), stream.signal).catch((thrown) => stream.fail(reported(thrown)))
    },
    [operations.embed](head, stream) {
      const embedding = engine.embed(decodeEmbed(head), stream.signal)
      answer(
        stream,
        embedding.then(({ vector, promptTokens }) => encodeVector(vector, promptTokens)),
      )
    },
    [operations.control](head, stream) {
      const [name, args] = decodeNamed(head)
      answer(stream, value(engine.control(name, args)))
    },
    [operations.metrics](_, stream) {
      answer(stream, value(engine.metrics()))
    },
    [operations.call](head, stream) {
      const [name, args] = decodeNamed(head)
      answer(stream, value(named(calls, name, args)))
    },
  }
  return (head, stream) => {
    const operation = head[0] ?? 0
    const starts = operation === operations.generate || operation === operations.embed
    if (starts && extras.draining?.() === true) return stream.fail(draining())
    try {
      const start = run[operation]
      if (start === undefined) throw new AppError('engine_rejected', { message: `The worker knows no operation ${operation}.` })
      start(head, stream)
    } catch (thrown) {
      stream.fail(reported(thrown))
    }
  }
}

async function named(calls: NonNullable<HostExtras['calls']>, name: string, args: Record<string, unknown>): Promise<unknown> {
  const call = Object.hasOwn(calls, name) ? calls[name] : undefined
  if (call !== undefined) return await call(args)
  throw new AppError('engine_rejected', {
    message: `The worker answers no '${name}'; it answers ${Object.keys(calls).join(', ') || 'no call'}.`,
  })
}

/** One request's rows onto its stream. */
class StreamSink implements Sink {
  private readonly stream: IncomingStream
  private readonly writer: RowWriter

  constructor(stream: IncomingStream, writer: RowWriter) {
    this.stream = stream
    this.writer = writer
  }

  push(ids: Int32Array, start: number, end: number, logprobs: RowLogprobs | undefined): void {
    if (logprobs === undefined) this.stream.send(this.writer.rows(ids, start, end))
    else this.stream.send(encodeRowsWithLogprobs(ids, start, end, logprobs))
  }

  promptLogprobs(logprobs: PromptLogprobs): void {
    this.stream.send(encodePromptLogprobs(logprobs))
  }

  end(finish: Finish, usage: EngineUsage): void {
    this.stream.send(encodeFinish(finish, usage))
    this.stream.end()
  }

  fail(error: AppError): void {
    this.stream.fail(error)
  }
}

function draining(): AppError {
  return new AppError('shutting_down', { message: 'The worker takes nothing new: it is shutting down.', retryAfterSecs: 1 })
}

/** The cause stays in this process's log. */
function reported(thrown: unknown): AppError {
  const error = toAppError(thrown)
  if (error.code === 'internal_error') log.error({ err: error.cause ?? error }, 'a remote call failed')
  return error
}
