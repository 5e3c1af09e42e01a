// Frontends and workers as processes of their own that find each other, as a platform team runs them. Everything ends with `stop`.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../run-request.ts'
import { sseEvents } from '../sse.ts'
import { freePort } from './sglang-server.ts'
import { productCommand } from './start.ts'

const root = join(import.meta.dir, '../../..')

export interface FleetProcess {
  readonly pid: number
  output(): string
  /** No warning, no clean-up: as a crash or a power cut. */
  kill(): Promise<void>
  /** SIGTERM, and SIGKILL after `ms`. Resolves with the exit code. */
  stop(ms?: number): Promise<number>
}
export interface FleetWorker extends FleetProcess {
  /** What x-worker-id shows. */
  readonly id: string
}
export interface FleetFrontend extends FleetProcess {
  readonly url: string
}

export interface Fleet {
  readonly env: Record<string, string>
  /** A mock worker of models/tiny-llm that is ready; later flags win. */
  worker(args?: string[], env?: Record<string, string>): Promise<FleetWorker>
  /** A host of a model that takes no requests (--node-rank above 0); resolves when it waits for the first one. */
  node(args: string[], env?: Record<string, string>): Promise<FleetProcess>
  /** A frontend that listens; it may know no worker yet. */
  frontend(args?: string[], env?: Record<string, string>): Promise<FleetFrontend>
  /** `serve` with a mock engine of the same model that joins the fleet. */
  serve(args?: string[], env?: Record<string, string>): Promise<FleetFrontend>
  /** Any command of ours; resolves when it has printed what `ready` says. */
  process(args: string[], more: { ready: RegExp; env?: Record<string, string> }): Promise<FleetProcess>
  /** Ends everything that still runs. */
  stop(): Promise<void>
}

/** `env` says how the processes find each other; absent: file discovery in a folder of its own. A real engine needs more than a minute to be ready. */
export function startFleet(env?: Record<string, string>, readyMs = 60_000): Fleet {
  const folder = mkdtempSync(join(tmpdir(), 'fleet-'))
  const all: FleetProcess[] = []
  const shared = {
    DYN_GRACEFUL_SHUTDOWN_GRACE_PERIOD_SECS: '0.2',
    DYN_CACHE_DIR: join(folder, 'cache'),
    ...(env ?? { DYN_DISCOVERY_BACKEND: 'file', DYN_FILE_KV: join(folder, 'kv') }),
  }

  async function spawn(args: string[], more: Record<string, string>, ready: RegExp): Promise<[FleetProcess, RegExpExecArray]> {
    const child = Bun.spawn([...productCommand(), ...args], {
      cwd: root,
      env: { ...process.env, ...shared, ...more },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let printed = ''
    const collect = async (stream: ReadableStream<Uint8Array>) => {
      const decoder = new TextDecoder()
      for await (const chunk of stream) printed = (printed + decoder.decode(chunk, { stream: true })).slice(-500_000)
    }
    void collect(child.stdout)
    void collect(child.stderr)
    const one: FleetProcess = {
      pid: child.pid,
      output: () => printed,
      async kill() {
        child.kill('SIGKILL')
        await child.exited
      },
      async stop(ms = 10_000) {
        child.kill('SIGTERM')
        const late = setTimeout(() => child.kill('SIGKILL'), ms)
        const code = await child.exited
        clearTimeout(late)
        return code
      },
    }
    all.push(one)
    let match: RegExpExecArray | null = null
    await until(
      `${args[0]} is ready`,
      () => {
        match = ready.exec(printed)
        if (match === null && child.exitCode !== null) throw new Error(`${args[0]} exited with ${child.exitCode}:\n${printed}`)
        return match !== null
      },
      readyMs,
    )
    return [one, match!]
  }

  return {
    env: shared,
    async worker(args = [], more = {}) {
      const preset = ['worker', '--engine', 'mock', '--model-path', 'models/tiny-llm', '--speedup-ratio', '1000000']
      const [one, match] = await spawn([...preset, ...args], more, /Worker (\S+) serves/)
      return { ...one, id: match[1]! }
    },
    async node(args, more = {}) {
      // SGLang says its arguments a second time when it has its ports: on one machine the first host would else take them before.
      const [one] = await spawn(['worker', ...args], more, /server_args=[\s\S]*server_args=/)
      return one
    },
    async frontend(args = [], more = {}) {
      const port = freePort()
      const [one] = await spawn(['frontend', '--http-host', '127.0.0.1', '--http-port', String(port), ...args], more, /Frontend at/)
      return { ...one, url: `http://127.0.0.1:${port}` }
    },
    async serve(args = [], more = {}) {
      const port = freePort()
      const preset = ['serve', '--engine', 'mock', '--model-path', 'models/tiny-llm', '--speedup-ratio', '1000000']
      const [one] = await spawn([...preset, '--http-host', '127.0.0.1', '--http-port', String(port), ...args], more, /Serving .* at/)
      return { ...one, url: `http://127.0.0.1:${port}` }
    },
    async process(args, { ready, env: more = {} }) {
      return (await spawn(args, more, ready))[0]
    },
    async stop() {
      await Promise.all(all.map((one) => one.stop(2000)))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export interface ChatOptions {
  model?: string
  maxTokens?: number
  headers?: Record<string, string>
  more?: Record<string, unknown>
}

/** One greedy chat answer, whole. */
export function chat(url: string, text: string, { model = 'models/tiny-llm', maxTokens = 16, headers = {}, more = {} }: ChatOptions = {}) {
  const body = { model, messages: [{ role: 'user', content: text }], max_tokens: maxTokens, temperature: 0, ignore_eos: true, ...more }
  return fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
}

/** The text of a streamed chat answer; `each` hears how many chunks with text came so far. Throws on an error event. */
export async function streamChat(
  url: string,
  text: string,
  options: ChatOptions = {},
  each: (chunks: number, response: Response) => void = () => {},
): Promise<string> {
  const response = await chat(url, text, { ...options, more: { stream: true, ...options.more } })
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
  let answer = ''
  let chunks = 0
  for await (const data of sseEvents(response.body!)) {
    if (!data.startsWith('{')) continue
    const event = JSON.parse(data)
    if (event.error !== undefined) throw new Error(`error event: ${JSON.stringify(event.error)}`)
    const delta = event.choices[0]?.delta?.content
    if (!delta) continue
    answer += delta
    each(++chunks, response)
  }
  return answer
}
