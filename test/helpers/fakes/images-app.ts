// The images routes on a port of their own, over any pipeline and store.
import OpenAI from 'openai'
import pino from 'pino'
import type { Handler } from '../../../src/openai/call.ts'
import { editsHandler } from '../../../src/openai/images/edits.ts'
import { generationsHandler } from '../../../src/openai/images/generations.ts'
import type { ImagesApi } from '../../../src/openai/media/api.ts'
import { endpoint } from '../../../src/serve/http/endpoint.ts'
import { defaultLimits, InFlight, type Limits } from '../../../src/serve/http/limits.ts'
import { freePort } from '../processes/sglang-server.ts'
import { fakeInput } from './image-input.ts'
import { type MediaScript, type MemoryStore, memoryStore, type ScriptedMedia, scriptedMedia } from './media.ts'
import { scriptedPipeline } from './pipeline.ts'

export interface ImagesApp extends AsyncDisposable {
  url: string
  media: ScriptedMedia
  store: MemoryStore
  openai: OpenAI
  /** Parsed access-log lines. */
  lines: Record<string, unknown>[]
  inFlight(): number
  /** POSTs JSON (or a form, or a raw text) under /v1/images/ and reads the JSON answer. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  post(path: string, body: unknown, init?: RequestInit): Promise<{ status: number; headers: Headers; body: any }>
}

export interface ImagesAppOptions extends Partial<ImagesApi> {
  script?: MediaScript
  limits?: Partial<Limits>
}

export function imagesApp({ script, limits, ...options }: ImagesAppOptions = {}): ImagesApp {
  const media = scriptedMedia(script)
  const store = memoryStore()
  const lines: Record<string, unknown>[] = []
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const api: ImagesApi = { media, store, input: fakeInput, ignoreUnknownFields: false, ...options }
  const all = { ...defaultLimits, ...limits }
  const inFlight = new InFlight(all)
  const deps = { pipeline: scriptedPipeline(), limits: all, state: () => 'ready' as const, log }
  const post = (path: string, handler: Handler) => endpoint('images', path, handler, deps, inFlight)
  const generations = post('/v1/images/generations', generationsHandler(api))
  const edits = post('/v1/images/edits', editsHandler(api))
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: freePort(),
    idleTimeout: 0,
    routes: {
      '/v1/images/generations': { POST: (request) => generations(request) },
      '/v1/images/edits': { POST: (request) => edits(request) },
    },
    fetch: () => new Response(null, { status: 404 }),
  })
  const url = `http://127.0.0.1:${server.port}`
  return {
    ...{ url, media, store, lines },
    openai: new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0, timeout: 30_000 }),
    inFlight: () => inFlight.count,
    async post(path, body, init = {}) {
      const form = body instanceof FormData
      const headers = { ...(form ? {} : { 'content-type': 'application/json' }), ...(init.headers as Record<string, string>) }
      const sent = form || typeof body === 'string' ? body : JSON.stringify(body)
      const response = await fetch(`${url}/v1/images/${path}`, { ...init, method: 'POST', body: sent, headers })
      const text = await response.text()
      return { status: response.status, headers: response.headers, body: text.startsWith('{') ? JSON.parse(text) : text }
    },
    [Symbol.asyncDispose]: () => server.stop(true),
  }
}
