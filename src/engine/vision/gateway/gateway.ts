// The encoder's side of SGLang's native split of vision and language: a language server posts a part of a request, rows go to the sockets of its ranks. Whatever stands
// behind `encoder` (one tower, a pool of workers, a cache before them) is a full peer that way. No request waits here longer than the gateway's own deadline.
import { AppError, toAppError } from '../../../lib/errors.ts'
import { parseJson } from '../../../lib/json-limits.ts'
import { log } from '../../../lib/log.ts'
import type { MediaItem } from '../../types.ts'
import { aboutPart } from '../about-part.ts'
import { checkEmbeddings } from '../embeddings.ts'
import type { Embeddings, VisionEncoder } from '../vision.ts'
import { readAtMost } from './body.ts'
import { Destinations } from './destinations.ts'
import { errorFrame, type ReleaseName, releaseOf, rowsFrame } from './frame.ts'
import { type ReadItem, readItems } from './items.ts'
import { Receivers } from './receivers.ts'
import { type EncodeRequest, readEncode, readReceiveUrl } from './requests.ts'

export interface GatewayOptions {
  encoder: VisionEncoder
  /** Finds what is asked for (items.ts). */
  read: ReadItem
  hostname: string
  /** 0 takes a free one. */
  port: number
  /** SGLang's release on the other side, where it is known: questions of 0.5.15 to 0.5.18 look like later ones, and those read other frames. */
  release?: string | undefined
  /** From a part's arrival to its rows' departure; must be below SGLANG_ENCODER_RECV_TIMEOUT of the language server. Default 25 s. */
  deadlineMs?: number
  /** A part is over: its pictures and rows, or why not. */
  onDone?: (items: readonly MediaItem[], results: readonly Embeddings[], error: AppError | undefined) => void
}

export interface Gateway {
  /** `http://host:port`, for --encoder-urls. */
  readonly url: string
  /** Parts that are worked on. */
  readonly running: number
  /** Ends what runs with `shutting_down`. */
  close(): Promise<void>
}

const defaultDeadlineMs = 25_000
/** An error's frame waits this long for the ranks to tell where it should go: they may learn of it by HTTP first. */
const lateMs = 30_000
const pushErrorMs = 5000
/** Pictures of foreign servers come inside the body. */
const maxBodyBytes = 256 * 1024 * 1024
/** Of an id and an address, each at its longest and escaped. */
const maxTellBytes = 16 * 1024

/** Listens at once. Throws when the port is taken. */
export function startGateway(options: GatewayOptions): Gateway {
  return new Serving(options)
}

class Serving implements Gateway {
  readonly url: string
  private readonly options: GatewayOptions
  private readonly destinations = new Destinations()
  private readonly receivers = new Receivers()
  private readonly closing = new AbortController()
  private readonly parts = new Set<Promise<unknown>>()
  private readonly server: Bun.Server<undefined>

  constructor(options: GatewayOptions) {
    this.options = options
    this.server = Bun.serve({
      hostname: options.hostname,
      port: options.port,
      idleTimeout: 0,
      maxRequestBodySize: maxBodyBytes,
      development: false,
      error: (thrown) => {
        log.error({ err: thrown }, 'the vision gateway failed')
        return refusal(toAppError(thrown), undefined)
      },
      routes: {
        '/health': () => this.health(),
        '/health_generate': () => this.health(),
        '/encode': { POST: (request) => this.encode(request) },
        '/scheduler_receive_url': { POST: (request) => this.receiveUrl(request) },
      },
      fetch: () =>
        Response.json({ status: 'error', message: 'This is a vision encoder: /health, /encode, /scheduler_receive_url.' }, { status: 404 }),
    })
    const { hostname } = options
    this.url = `http://${hostname.includes(':') ? `[${hostname}]` : hostname}:${this.server.port}`
  }

  get running(): number {
    return this.parts.size
  }

  async close(): Promise<void> {
    this.closing.abort(new AppError('shutting_down', { message: 'The vision encoder is shutting down.' }))
    await Promise.allSettled(this.parts)
    this.destinations.clear()
    this.receivers.close()
    await this.server.stop()
  }

  private health(): Response {
    return new Response(null, { status: this.options.encoder.ready ? 200 : 503 })
  }

  private async receiveUrl(request: Request): Promise<Response> {
    try {
      const { reqId, count, url } = readReceiveUrl(await json(request, maxTellBytes))
      this.destinations.tell(reqId, count, url)
      return Response.json(null)
    } catch (thrown) {
      return refusal(toAppError(thrown), undefined)
    }
  }

  private async encode(request: Request): Promise<Response> {
    let asked: EncodeRequest
    try {
      asked = readEncode(await json(request, maxBodyBytes))
      if (this.closing.signal.aborted) throw this.closing.signal.reason
    } catch (thrown) {
      return refusal(toAppError(thrown), undefined)
    }
    const { reqId } = asked.part
    const work = this.answer(asked, request.signal)
    this.parts.add(work)
    try {
      await work
      this.destinations.forget(reqId)
      return Response.json(null)
    } catch (thrown) {
      const error = reported(thrown, reqId)
      this.tellError(asked, error)
      return refusal(error, reqId)
    } finally {
      this.parts.delete(work)
    }
  }

  /** Encodes and delivers one part. Rejects with an AppError. */
  private async answer(asked: EncodeRequest, gone: AbortSignal): Promise<void> {
    const { encoder, read, deadlineMs = defaultDeadlineMs, onDone } = this.options
    const ended = new AbortController()
    const end = (reason: unknown) => ended.abort(reason)
    const onGone = () => end(new AppError('client_closed_request', { message: 'The language server hung up.' }))
    const onClosing = () => end(this.closing.signal.reason)
    let stage: keyof typeof lateAt = 'encoding'
    const timer = setTimeout(() => end(late(deadlineMs, stage)), deadlineMs)
    gone.addEventListener('abort', onGone, { once: true })
    this.closing.signal.addEventListener('abort', onClosing, { once: true })
    let items: MediaItem[] = []
    let results: Embeddings[] = []
    try {
      const { signal } = ended
      const { part } = asked
      items = await readItems(asked.items, read, part.modality, signal)
      const encode = async (item: MediaItem) => checkEmbeddings(await encoder.encode(item, signal), item, encoder.info)
      results = await Promise.all(
        items.map((item, i) =>
          encode(item).catch((thrown) => {
            throw aboutPart(thrown, `mm_items[${i}]`)
          }),
        ),
      )
      stage = 'waiting'
      const addresses = asked.receivers ?? (await this.destinations.wait(part.reqId, signal))
      const message = rowsMessage(asked, items, results, this.release(asked))
      stage = 'sending'
      await Promise.all(addresses.map((address) => this.receivers.push(address, message, signal)))
      onDone?.(items, results, undefined)
    } catch (thrown) {
      // An encoder that was told to stop says so in its own words; why it was told is what matters.
      const error = toAppError(ended.signal.aborted ? ended.signal.reason : thrown)
      end(error)
      onDone?.(items, results, error)
      throw error
    } finally {
      clearTimeout(timer)
      gone.removeEventListener('abort', onGone)
      this.closing.signal.removeEventListener('abort', onClosing)
    }
  }

  /** The HTTP answer tells the tokenizer; each rank waits for rows of its own and must hear it too, or it waits for its timeout. */
  private tellError(asked: EncodeRequest, { message, status }: AppError): void {
    const { part, receivers } = asked
    const release = this.release(asked)
    const tell = async () => {
      const frame = errorFrame(part, message, status, release)
      const addresses = receivers ?? (await this.destinations.wait(part.reqId, AbortSignal.timeout(lateMs)))
      await Promise.all(addresses.map((address) => this.receivers.push(address, [frame], AbortSignal.timeout(pushErrorMs))))
    }
    tell().then(
      () => this.destinations.forget(part.reqId),
      // They are gone, or learned it by HTTP and never told an address.
      (thrown) => log.debug({ err: thrown, part: part.reqId }, 'an error of the vision encoder reached no rank'),
    )
  }

  private release(asked: EncodeRequest): ReleaseName {
    return asked.atMost ?? releaseOf(this.options.release)
  }
}

/** Two frames: what the rows are, and the rows of all pictures in order. */
function rowsMessage(
  { part }: EncodeRequest,
  items: readonly MediaItem[],
  results: readonly Embeddings[],
  release: ReleaseName,
): Uint8Array[] {
  const { dim, type } = results[0]!
  const rows = results.reduce((sum, result) => sum + result.rows, 0)
  const grids = results.map(({ grid }) => grid)
  const bytes = results.length === 1 ? results[0]!.bytes : Buffer.concat(results.map((result) => result.bytes))
  const clips = part.modality === 'VIDEO' ? clipTimes(items) : {}
  return [rowsFrame(part, { grids, type, rows, dim, ...clips }, release), bytes]
}

/** Frames of a clip go into temporal patches by twos (Qwen's temporal_patch_size). */
const framesPerGrid = 2

/** As SGLang's encoder tells them: the times that stand in the prompt where the model writes them there (Qwen3-VL, whose language server counts groups of frames as clips and
 * finds no second length for them), how long a group lasts where it does not. */
function clipTimes(items: readonly MediaItem[]): { secondsPerGrid: number[] } | { timestamps: (readonly number[])[] } {
  const timestamps = items.flatMap(({ clip }) => (clip?.seconds === undefined ? [] : [clip.seconds]))
  if (timestamps.length === items.length) return { timestamps }
  return { secondsPerGrid: items.map(({ secondsPerFrame = 0.5 }) => secondsPerFrame * framesPerGrid) }
}

async function json(request: Request, maxBytes: number): Promise<unknown> {
  try {
    return parseJson(await readAtMost(request, maxBytes), { whole: 'The body' })
  } catch (cause) {
    if (cause instanceof AppError) throw cause
    throw new AppError('invalid_json', { message: 'The body is no JSON.', cause })
  }
}

function refusal({ message, status }: AppError, reqId: string | undefined): Response {
  return Response.json({ status: 'error', message, req_id: reqId ?? null }, { status })
}

const lateAt = {
  encoding: 'The vision encoder did not finish',
  waiting: "The language server's ranks did not tell where their rows should go",
  sending: 'The language server did not take its rows',
}

function late(deadlineMs: number, stage: keyof typeof lateAt): AppError {
  return new AppError('engine_unavailable', { status: 504, message: `${lateAt[stage]} within ${deadlineMs / 1000} s. Try again.` })
}

function reported(thrown: unknown, reqId: string): AppError {
  const error = toAppError(thrown)
  if (error.code === 'internal_error' || error.code === 'engine_failed')
    log.warn({ err: error.cause ?? error, part: reqId }, 'a part of a request was not encoded')
  return error
}
