// The engine seam over a stock SGLang HTTP server that somebody else runs: attach only, never start or stop it.
import { AppError, requestCancelled, toAppError } from '../../../lib/errors.ts'
import type { Engine } from '../../engine.ts'
import type { Embedding, EmbedRequest, EngineEvent, EngineInfo, EngineUsage, GenerateRequest, Sink } from '../../types.ts'
import { followKvEvents } from '../kv/follow.ts'
import { forcedEndMs, repeatAbort } from '../requests/abort.ts'
import { generateBody } from './body.ts'
import { type HttpReply, readText, send } from './client.ts'
import { kvSources, readServer, type ServerFacts } from './info.ts'
import { HttpAnswer, readEvents, rejected } from './stream.ts'
import { waitForServer } from './wait.ts'

export interface HttpEngineOptions {
  /** Where the server listens, `http://host:port`. */
  url: string
  /** SGLang's --api-key. */
  apiKey?: string
  /** How often the server is asked whether it lives. */
  watchMs?: number
  /** How long `start` waits for a server that is not up yet. */
  startWaitMs?: number
  /** Told when `start` begins to wait, and every 30 s; later, when KV events are lost. */
  onNotice?: (text: string) => void
}

const noUsage: EngineUsage = { promptTokens: 0, completionTokens: 0, cachedTokens: 0, reasoningTokens: 0 }

/**
 * An engine that is attached to the SGLang server at `url`. `start` waits while nobody listens there, and rejects with `engine_unavailable`
 * after `startWaitMs` (10 minutes), when what answers is no SGLang server, or when `stop` is called meanwhile.
 */
export function httpEngine(options: HttpEngineOptions): Engine {
  return new HttpEngine(options)
}

class HttpEngine implements Engine {
  private readonly base: string
  private readonly host: string
  private readonly headers: Record<string, string>
  private readonly watchMs: number
  private readonly wait: { startWaitMs: number; onNotice: (text: string) => void }
  private readonly listeners = new Set<(event: EngineEvent) => void>()
  /** One entry a request that the server may still work on; the value aborts it. */
  private readonly running = new Map<string, () => void>()
  private facts: ServerFacts | undefined
  private up = false
  private stopped = false
  private readonly gone = new AbortController()
  private timer: ReturnType<typeof setTimeout> | undefined
  private kvFollowers: { close(): void }[] = []

  constructor(options: HttpEngineOptions) {
    const url = new URL(options.url)
    this.base = url.href.replace(/\/+$/, '')
    this.host = url.hostname
    this.headers = { 'content-type': 'application/json', ...(options.apiKey ? { authorization: `Bearer ${options.apiKey}` } : {}) }
    this.watchMs = options.watchMs ?? 2000
    this.wait = { startWaitMs: options.startWaitMs ?? 600_000, onNotice: options.onNotice ?? (() => {}) }
  }

  get info(): EngineInfo {
    if (!this.facts) throw new Error('the engine has not started')
    return this.facts.info
  }

  get ready(): boolean {
    return this.up && !this.stopped
  }

  async start(): Promise<EngineInfo> {
    this.facts = await waitForServer(() => readServer(this.base, this.headers), { ...this.wait, gone: this.gone.signal })
    if (this.stopped) throw this.unavailable()
    this.setUp(true, `attached to ${this.base}`)
    this.followKv()
    this.watch()
    return this.facts.info
  }

  async generate(request: GenerateRequest, sink: Sink, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return sink.end({ kind: 'abort', message: 'Aborted' }, { ...noUsage, promptTokens: request.promptIds.length })
    if (!this.ready) return sink.fail(this.unavailable())
    const rid = newRid()
    const answer: HttpAnswer = new HttpAnswer(sink, this.facts?.cumulative, () => abort(), request.media && request.promptIds.length)
    const cut = new AbortController()
    let stopTelling: (() => void) | undefined
    let forced: ReturnType<typeof setTimeout> | undefined
    const abort = () => {
      if (stopTelling) return
      stopTelling = repeatAbort(() => void this.post('/abort_request', { rid }).catch(() => {}))
      forced = setTimeout(() => cut.abort(), forcedEndMs)
    }
    signal.addEventListener('abort', abort, { once: true })
    this.running.set(rid, abort)
    try {
      const response = await this.post('/generate', generateBody(request, rid), cut.signal)
      if (response.status !== 200) throw await refusal(response)
      await readEvents(response.body, (json) => answer.take(json))
    } catch (thrown) {
      if (thrown instanceof AppError) answer.error ??= thrown
      else if (!cut.signal.aborted) answer.error ??= this.broken(thrown)
    } finally {
      signal.removeEventListener('abort', abort)
      clearTimeout(forced)
      stopTelling?.()
      this.running.delete(rid)
    }
    try {
      if (answer.sinkThrew !== undefined) sink.fail(toAppError(answer.sinkThrew))
      else if (answer.finish) sink.end(answer.finish, answer.usage)
      else if (stopTelling && !answer.blind) sink.end({ kind: 'abort', message: 'Aborted' }, answer.usage)
      else sink.fail(answer.error ?? this.broken(new Error('the stream ended without a finish')))
    } catch {
      // A sink that throws at its end has nothing left to be told; its owner's own log has the reason.
    }
  }

  async embed(request: EmbedRequest, signal: AbortSignal): Promise<Embedding> {
    if (!this.ready) throw this.unavailable()
    const rid = newRid()
    this.running.set(rid, () => void this.post('/abort_request', { rid }).catch(() => {}))
    try {
      const body = { rid, input_ids: [...request.promptIds], priority: request.priority, routed_dp_rank: request.dpRank }
      const response = await this.post('/encode', body, signal)
      if (response.status !== 200) throw await refusal(response)
      const result = JSON.parse(await readText(response)) as { embedding: number[]; meta_info?: { prompt_tokens?: number } }
      return {
        vector: Float32Array.from(result.embedding),
        promptTokens: result.meta_info?.prompt_tokens ?? request.promptIds.length,
      }
    } catch (thrown) {
      if (signal.aborted) {
        this.running.get(rid)?.()
        throw requestCancelled()
      }
      throw thrown instanceof AppError ? thrown : this.broken(thrown)
    } finally {
      this.running.delete(rid)
    }
  }

  async control(name: string, args: Record<string, unknown>): Promise<unknown> {
    if (!/^[a-z][a-z0-9_/]*$/.test(name)) throw new AppError('route_not_found', { message: `No engine operation is called ${name}.` })
    const response = await this.post(`/${name}`, args).catch((thrown) => {
      throw this.broken(thrown)
    })
    if (response.status !== 200) throw await refusal(response)
    const text = await readText(response)
    try {
      return JSON.parse(text) as unknown
    } catch {
      return text // Several of SGLang's operations answer with a sentence.
    }
  }

  async metrics(): Promise<string> {
    try {
      const response = await send(`${this.base}/metrics`, this.headers, undefined, AbortSignal.timeout(5000))
      const text = await readText(response)
      return response.status === 200 && text.includes('sglang:') ? text : ''
    } catch {
      return '' // The watch tells that the server is gone; metrics must not fail for it.
    }
  }

  inFlight(): number {
    return this.running.size
  }

  on(listener: (event: EngineEvent) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  async stop(deadlineMs: number): Promise<void> {
    if (this.stopped) return
    this.stopped = true
    this.gone.abort()
    clearTimeout(this.timer)
    for (const follower of this.kvFollowers) follower.close()
    const end = performance.now() + deadlineMs
    while (this.running.size > 0 && performance.now() < end) await Bun.sleep(10)
    for (const abort of this.running.values()) abort()
    const forced = performance.now() + 2 * forcedEndMs
    while (this.running.size > 0 && performance.now() < forced) await Bun.sleep(10)
    this.emit({ kind: 'state', ready: false, reason: 'detached' })
  }

  private post(path: string, body: unknown, signal?: AbortSignal): Promise<HttpReply> {
    return send(this.base + path, this.headers, JSON.stringify(body), signal)
  }

  private unavailable(): AppError {
    return new AppError('engine_unavailable', { message: `The SGLang server at ${this.base} does not answer now.`, retryAfterSecs: 2 })
  }

  private broken(cause: unknown): AppError {
    this.setUp(false, 'the connection broke')
    return new AppError('engine_failed', { message: 'The connection to the SGLang server broke.', cause })
  }

  private setUp(up: boolean, reason: string): void {
    if (this.up === up) return
    this.up = up
    this.emit({ kind: 'state', ready: up, reason })
  }

  private emit(event: EngineEvent): void {
    for (const listener of this.listeners) listener(event)
  }

  private watch(): void {
    this.timer = setTimeout(async () => {
      try {
        this.facts = await readServer(this.base, this.headers)
        if (!this.stopped) this.setUp(true, `attached to ${this.base} again`)
      } catch (thrown) {
        if (!this.stopped) this.setUp(false, toAppError(thrown).message)
      }
      if (!this.stopped) this.watch()
    }, this.watchMs)
  }

  private followKv(): void {
    if (!this.facts) return
    for (const source of kvSources(this.facts, this.host)) {
      const follower = followKvEvents(source, {
        changes: (seq, changes) => this.emit({ kind: 'kv', rank: source.rank, seq, changes }),
        lost: (from, to) => this.wait.onNotice(`KV events ${from} to ${to - 1} of rank ${source.rank} are lost`),
      })
      this.kvFollowers.push(follower)
    }
  }
}

/** SGLang matches an abort by the beginning of the id: all have one length, so none begins another. */
function newRid(): string {
  return crypto.randomUUID().replaceAll('-', '')
}

async function refusal(response: HttpReply): Promise<AppError> {
  const text = await readText(response)
  let message = text
  try {
    const body = JSON.parse(text) as { error?: { message?: string } | string; detail?: unknown; message?: string }
    message = (typeof body.error === 'string' ? body.error : body.error?.message) ?? body.message ?? JSON.stringify(body.detail ?? body)
  } catch {
    // Plain text is the message.
  }
  return rejected(message, response.status)
}
