// The HTTP app over a scripted pipeline, with or without a port.
import pino from 'pino'
import { createHealth } from '../../../src/serve/health.ts'
import { type AppDeps, createApp, type HttpApp } from '../../../src/serve/http/app.ts'
import { defaultLimits, type Limits } from '../../../src/serve/http/limits.ts'
import { type Script, type ScriptedPipeline, scriptedPipeline } from './pipeline.ts'

export interface TestApp extends HttpApp {
  pipeline: ScriptedPipeline
  /** Parsed access-log lines. */
  lines: Record<string, unknown>[]
  /** POSTs JSON (or a raw text) and reads the JSON answer. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<{ status: number; headers: Headers; body: any }>
  get(path: string, init?: RequestInit): Promise<Response>
}

export interface TestAppOptions extends Partial<Omit<AppDeps, 'limits' | 'pipeline'>> {
  script?: Script
  limits?: Partial<Limits>
}

export function testApp({ script, limits, ...options }: TestAppOptions = {}): TestApp {
  const pipeline = scriptedPipeline(script)
  const lines: Record<string, unknown>[] = []
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const workers = options.workers ?? (() => [])
  const app = createApp({
    pipeline,
    ignoreUnknownFields: false,
    workers,
    health: createHealth({ workers, canary: () => true, canaryFreshMs: 10_000, canaryTimeoutMs: 500 }),
    state: () => 'ready',
    log,
    version: '0.0.0-test',
    endpoint: 'dyn://test.backend.generate',
    limits: { ...defaultLimits, ...limits },
    ...options,
  })
  const get = async (path: string, init: RequestInit = {}) => app.fetch(new Request(`http://test${path}`, init))
  return {
    ...app,
    pipeline,
    lines,
    get,
    async post(path, body, headers = {}) {
      const text = typeof body === 'string' ? body : JSON.stringify(body)
      const response = await get(path, { method: 'POST', body: text, headers: { 'content-type': 'application/json', ...headers } })
      const answer = await response.text()
      return { status: response.status, headers: response.headers, body: answer === '' ? undefined : JSON.parse(answer) }
    },
  }
}
