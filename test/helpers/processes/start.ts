// Starts the product as a process of its own, as a user does, and ends it by its id.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from './sglang-server.ts'

const root = join(import.meta.dir, '../../..')
const binary = join(root, 'dist/dynamo-sglang')

export interface StartOptions {
  /** After `serve --engine mock --model-path models/tiny-llm --speedup-ratio 1000000 --http-port P`. A later flag wins. */
  args?: string[]
  env?: Record<string, string>
  /** How long it may take to be ready; a real engine on CPU needs minutes on a busy machine. Default 60. */
  readySecs?: number
  /** All of the arguments instead of the above; `{port}` stands for the port. */
  command?: string[]
}

export interface Started {
  /** http://127.0.0.1:PORT */
  url: string
  port: number
  pid: number
  /** What it printed so far, both streams. */
  output(): string
  /** Sum of a gauge's or counter's samples in /metrics; 0 when it has none. */
  metric(name: string): Promise<number>
  /** SIGTERM, then SIGKILL after `ms`. Resolves with the exit code. Idempotent. */
  stop(ms?: number): Promise<number>
}

/** The executable when it is built (`bun run build`; DYN_TEST_FROM_SOURCE=1 ignores it), else the sources. */
export function productCommand(): string[] {
  return existsSync(binary) && process.env.DYN_TEST_FROM_SOURCE !== '1' ? [binary] : [process.execPath, join(root, 'src/main.ts')]
}

/** Resolves when /health answers 200. Rejects with what the process printed when it exits before or takes longer than `readySecs`. */
export async function start(options: StartOptions = {}): Promise<Started> {
  const port = freePort()
  const url = `http://127.0.0.1:${port}`
  const preset = ['serve', '--engine', 'mock', '--model-path', 'models/tiny-llm', '--speedup-ratio', '1000000', '--http-port', String(port)]
  const given = options.command?.map((arg) => arg.replace('{port}', String(port))) ?? [
    ...preset,
    '--http-host',
    '127.0.0.1',
    ...(options.args ?? []),
  ]
  const child = Bun.spawn([...productCommand(), ...given], {
    cwd: root,
    env: { ...process.env, DYN_GRACEFUL_SHUTDOWN_GRACE_PERIOD_SECS: '0', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let printed = ''
  const collect = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder()
    for await (const chunk of stream) printed = (printed + decoder.decode(chunk, { stream: true })).slice(-200_000)
  }
  void collect(child.stdout)
  void collect(child.stderr)

  const started: Started = {
    url,
    port,
    pid: child.pid,
    output: () => printed,
    async metric(name) {
      const text = await (await fetch(`${url}/metrics`)).text()
      return [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)`, 'gm'))].reduce((sum, sample) => sum + Number(sample[1]), 0)
    },
    async stop(ms = 5000) {
      child.kill('SIGTERM')
      const late = setTimeout(() => child.kill('SIGKILL'), ms)
      const code = await child.exited
      clearTimeout(late)
      return code
    },
  }
  for (const deadline = Date.now() + (options.readySecs ?? 60) * 1000; ; ) {
    if (child.exitCode !== null) throw new Error(`exited with ${child.exitCode} before it was ready:\n${printed}`)
    const ready = await fetch(`${url}/health`)
      .then((answer) => answer.status === 200)
      .catch(() => false)
    if (ready) return started
    if (Date.now() > deadline) {
      await started.stop()
      throw new Error(`not ready after 60 s:\n${printed}`)
    }
    await Bun.sleep(50)
  }
}

/** Polls until `done` is true; throws with `what` after `ms`. */
export async function eventually(what: string, done: () => Promise<boolean> | boolean, ms = 50_000): Promise<void> {
  const deadline = Date.now() + ms
  while (!(await done())) {
    if (Date.now() > deadline) throw new Error(`still not after ${ms} ms: ${what}`)
    await Bun.sleep(20)
  }
}

/** Resolves when no request runs: nothing in flight at the front end. */
export const idle = (server: Started): Promise<void> =>
  eventually('no request in flight', async () => {
    if (!(await isIdle(server))) return false
    // Requests of clients that have left may still lie in the socket, unread.
    await Bun.sleep(100)
    return isIdle(server)
  })

async function isIdle(server: Started): Promise<boolean> {
  if ((await server.metric('dynamo_frontend_inflight_requests')) !== 0) return false
  const { workers = [] } = (await (await fetch(`${server.url}/health`)).json()) as { workers?: { inFlight?: number }[] }
  return workers.every(({ inFlight = 0 }) => inFlight === 0)
}
