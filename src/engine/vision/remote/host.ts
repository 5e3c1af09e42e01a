// The encode worker's end: answers the request plane for one encoder. A caller that cancels or is gone ends its work.
import { AppError, toAppError } from '../../../lib/errors.ts'
import { log } from '../../../lib/log.ts'
import type { IncomingStream, PlaneService } from '../../../transport/request-plane.ts'
import { patchesOf } from '../embeddings.ts'
import type { EncoderInfo, VisionEncoder } from '../vision.ts'
import {
  checkItem,
  decodeHead,
  type EncodeHead,
  encodeMessage,
  encodePart,
  type FarRows,
  messages,
  operations,
  type PartHead,
  partBytes,
  type WatchHead,
} from './protocol.ts'

export interface EncoderHostOptions {
  /** True from the moment that nothing new may start; what runs goes on. Default: never. */
  draining?: () => boolean
  /** Answers heads that are no encoder's; default: refused by name. */
  otherwise?: PlaneService
}

export interface EncoderHost {
  readonly service: PlaneService
  /** Tells watchers what it is now; for changes that the encoder itself does not tell (draining). */
  tell(): void
  close(): void
}

/** Loads change with each picture; watchers hear of them this often at most. */
const tellEveryMs = 100

export function hostEncoder(encoder: VisionEncoder, { draining = () => false, otherwise = refuse }: EncoderHostOptions = {}): EncoderHost {
  /** By stream, who watches on it. */
  const watchers = new Map<IncomingStream, string>()
  /** Patches in work, by caller. */
  const asked = new Map<string, number>()
  /** Rows that their caller has not pulled yet. */
  const held = new Map<string, Uint8Array>()
  let reason = 'started'
  let timer: ReturnType<typeof setTimeout> | undefined

  const state = (caller: string) => {
    const info = infoOf(encoder)
    const ready = encoder.ready && !draining()
    const others = Math.max(0, encoder.patchesInFlight() - (asked.get(caller) ?? 0))
    return encodeMessage(messages.state, { ready, reason, others, ...(info && { info }) })
  }
  const tell = () => {
    clearTimeout(timer)
    timer = undefined
    for (const [watcher, caller] of watchers) watcher.send(state(caller))
  }
  const off = encoder.on((change) => {
    reason = change.reason
    tell()
  })
  const count = (caller: string, patches: number) => {
    const now = (asked.get(caller) ?? 0) + patches
    if (now > 0) asked.set(caller, now)
    else asked.delete(caller)
    if (watchers.size > 0) timer ??= setTimeout(tell, tellEveryMs)
  }

  async function encode(head: Uint8Array, stream: IncomingStream): Promise<void> {
    const { job, caller, ...question } = decodeHead<EncodeHead>(head, ['job', 'caller', 'item'])
    const item = checkItem(question.item)
    if (draining()) throw new AppError('shutting_down', { message: 'The encode worker is leaving.' })
    const patches = patchesOf(item)
    const asked = performance.now()
    count(caller, patches)
    try {
      const { rows, dim, type, grid, itemHash, bytes } = await encoder.encode(item, stream.signal).finally(() => count(caller, -patches))
      if (stream.signal.aborted) return
      const made: FarRows = {
        rows,
        dim,
        type,
        grid,
        itemHash: itemHash.toString(16),
        size: bytes.length,
        ms: performance.now() - asked,
      }
      if (bytes.length <= partBytes) {
        stream.send(encodeMessage(messages.rows, { ...made, bytes }))
        return
      }
      held.set(job, bytes)
      stream.send(encodeMessage(messages.rows, made))
      // The caller cancels when it has pulled all, or is gone.
      await aborted(stream.signal)
    } finally {
      held.delete(job)
    }
  }

  function part(head: Uint8Array, stream: IncomingStream): void {
    const { job, start } = decodeHead<PartHead>(head, ['job', 'start'])
    const bytes = held.get(job)
    if (bytes === undefined) throw new AppError('engine_unavailable', { message: 'The rows are not there any more.' })
    stream.send(encodePart(bytes.subarray(start, start + partBytes)))
    stream.end()
  }

  function watch(head: Uint8Array, stream: IncomingStream): void {
    const { caller } = decodeHead<WatchHead>(head, ['caller'])
    watchers.set(stream, caller)
    stream.signal.addEventListener('abort', () => watchers.delete(stream), { once: true })
    stream.send(state(caller))
  }

  return {
    service(head, stream) {
      const failed = (thrown: unknown) => stream.fail(reported(thrown))
      try {
        if (head[0] === operations.encode) encode(head, stream).then(() => stream.end(), failed)
        else if (head[0] === operations.part) part(head, stream)
        else if (head[0] === operations.watch) watch(head, stream)
        else otherwise(head, stream)
      } catch (thrown) {
        failed(thrown)
      }
    },
    tell,
    close() {
      off()
      clearTimeout(timer)
      for (const watcher of watchers.keys()) watcher.end()
      watchers.clear()
    },
  }
}

/** Undefined until it has started, whichever way it says so. */
function infoOf(encoder: VisionEncoder): EncoderInfo | undefined {
  try {
    return encoder.info
  } catch {
    return undefined
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

function refuse(_: Uint8Array, stream: IncomingStream): void {
  stream.fail(new AppError('engine_rejected', { message: 'This worker encodes pictures, it answers no text requests.' }))
}

/** The cause stays in this process's log. */
function reported(thrown: unknown): AppError {
  const error = toAppError(thrown)
  if (error.code === 'internal_error') log.error({ err: error.cause ?? error }, 'a picture of another process failed')
  return error
}
