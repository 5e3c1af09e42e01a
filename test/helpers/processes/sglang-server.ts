// SGLang's own HTTP server on CPU, as the peer of the http engine.
import { type Child, startChild } from '../../../src/engine/supervisor.ts'
import { cpuArgs, cpuEnv } from '../sglang.ts'

export interface SglangServer {
  url: string
  child: Child | undefined
  stop(): Promise<void>
}

/** A TCP port that is free now, below the range that the kernel hands out itself. */
export function freePort(): number {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000)
    try {
      Bun.listen({ hostname: '127.0.0.1', port, socket: { data() {} } }).stop()
      return port
    } catch {
      // Taken: try another.
    }
  }
}

/** Starts the server and waits until it serves; DYN_TEST_SGLANG_URL names one that runs already. */
export async function startSglangServer(python: string, model: string, more: string[] = []): Promise<SglangServer> {
  const given = process.env.DYN_TEST_SGLANG_URL
  if (given) return { url: given, child: undefined, async stop() {} }
  const port = freePort()
  let ready = () => {}
  const serving = new Promise<void>((done) => (ready = done))
  const child = startChild({
    command: [python, '-m', 'sglang.launch_server', ...cpuArgs(model), '--host', '127.0.0.1', '--port', String(port), ...more],
    // As a user starts it.
    env: cpuEnv(false),
    onLine: (line) => line.includes('ready to roll') && ready(),
  })
  const outcome = await Promise.race([serving.then(() => 'ready'), child.exited.then(() => 'exited')])
  if (outcome === 'exited') throw new Error(`SGLang did not start:\n${child.lastLines().slice(-20).join('\n')}`)
  return {
    url: `http://127.0.0.1:${port}`,
    child,
    async stop() {
      await child.stop(5000)
    },
  }
}
