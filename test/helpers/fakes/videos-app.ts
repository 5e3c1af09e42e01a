// The videos routes on a port of their own, over any pipeline and store.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import OpenAI from 'openai'
import pino from 'pino'
import type { MediaStore } from '../../../src/media/store.ts'
import type { Handler } from '../../../src/openai/call.ts'
import type { VideosApi } from '../../../src/openai/videos/api.ts'
import { videoContentHandler } from '../../../src/openai/videos/content.ts'
import { videosHandler } from '../../../src/openai/videos/create.ts'
import {
  cancelVideoHandler,
  listVideosHandler,
  oneVideoHandler,
  refuseVideoHandler,
  removeVideoHandler,
} from '../../../src/openai/videos/jobs.ts'
import { videoStreamHandler } from '../../../src/openai/videos/mjpeg.ts'
import type { MediaJobs } from '../../../src/pipeline/media/jobs/jobs.ts'
import { mediaJobs } from '../../../src/pipeline/media/jobs/media-jobs.ts'
import type { MediaJobsOptions } from '../../../src/pipeline/media/jobs/options.ts'
import { endpoint } from '../../../src/serve/http/endpoint.ts'
import { defaultLimits, InFlight } from '../../../src/serve/http/limits.ts'
import { type ClipScript, type ScriptedClips, scriptedClips } from './clips.ts'
import { fakeInput } from './image-input.ts'
import { type MemoryStore, memoryStore } from './media.ts'
import { scriptedPipeline } from './pipeline.ts'

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
export type Body = any

export interface VideosApp extends AsyncDisposable {
  url: string
  clips: ScriptedClips
  store: MemoryStore
  jobs: MediaJobs
  openai: OpenAI
  /** Parsed access-log lines. */
  lines: Record<string, unknown>[]
  inFlight(): number
  /** Under /v1/videos; JSON, a form, a raw text or nothing. Reads the answer, JSON where it is some. */
  send(method: string, path: string, body?: unknown, init?: RequestInit): Promise<{ status: number; headers: Headers; body: Body }>
  post(body: unknown, init?: RequestInit): Promise<{ status: number; headers: Headers; body: Body }>
}

export interface VideosAppOptions extends Partial<Omit<VideosApi, 'store'>> {
  script?: ClipScript
  store?: MediaStore
  jobLimits?: Partial<MediaJobsOptions>
}

export function videosApp({ script, store: given, jobLimits, ...options }: VideosAppOptions = {}): VideosApp {
  const clips = scriptedClips(script)
  const store = given ?? memoryStore()
  const folder = mkdtempSync(join(tmpdir(), 'dyn-videos-'))
  const jobs = options.jobs ?? mediaJobs({ pipeline: options.media ?? clips, store, folder, ...jobLimits })
  const lines: Record<string, unknown>[] = []
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const api: VideosApi = { media: clips, store, input: fakeInput, ignoreUnknownFields: false, ...options, jobs }
  const inFlight = new InFlight(defaultLimits)
  const deps = { pipeline: scriptedPipeline(), limits: defaultLimits, state: () => 'ready' as const, log }
  const at = (handler: Handler) => {
    const raw = endpoint('videos', '/v1/videos', handler, deps, inFlight)
    return (request: Request) => raw(request)
  }
  /** Without a body; over with its head. */
  const bare = (handler: Handler) => {
    const raw = at(async (call) => {
      const response = await handler(call)
      call.outcome({})
      return response
    })
    return (request: Request) => raw(new Request(request.url, { headers: request.headers }))
  }
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    idleTimeout: 0,
    routes: {
      '/v1/videos': { POST: at(videosHandler(api)), GET: bare(listVideosHandler(api)) },
      '/v1/videos/stream': { POST: at(videoStreamHandler(api)) },
      '/v1/videos/:id': { GET: bare(oneVideoHandler(api)), DELETE: bare(removeVideoHandler(api)) },
      '/v1/videos/:id/cancel': { POST: bare(cancelVideoHandler(api)) },
      '/v1/videos/:id/remix': { POST: bare(refuseVideoHandler('remix')) },
      '/v1/videos/:id/content': { GET: bare(videoContentHandler(api)), HEAD: bare(videoContentHandler(api)) },
    },
    fetch: async (request) => {
      const found = await store.open(new URL(request.url).pathname.replace('/media/', ''))
      return found === undefined ? new Response(null, { status: 404 }) : new Response(found.read(0, found.bytes))
    },
  })
  const url = `http://127.0.0.1:${server.port}`
  async function send(method: string, path: string, body?: unknown, init: RequestInit = {}) {
    const form = body instanceof FormData
    const headers = {
      ...(form || body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(init.headers as Record<string, string>),
    }
    const sent = body === undefined ? {} : { body: form || typeof body === 'string' ? body : JSON.stringify(body) }
    const response = await fetch(`${url}/v1/videos${path}`, { ...init, method, headers, ...sent })
    const text = await response.text()
    return { status: response.status, headers: response.headers, body: text.startsWith('{') ? JSON.parse(text) : text }
  }
  return {
    ...{ url, clips, store: store as MemoryStore, jobs, lines, send },
    openai: new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0, timeout: 30_000 }),
    inFlight: () => inFlight.count,
    post: (body, init) => send('POST', '', body, init),
    async [Symbol.asyncDispose]() {
      await server.stop(true)
      await jobs.close(0)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
