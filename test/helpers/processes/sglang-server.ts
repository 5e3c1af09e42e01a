// SGLang's own HTTP server on CPU, as the peer of the http engine.
import { type Child, startChild } from '../../../src/engine/supervisor.ts'
import { cpuArgs, cpuEnv } from '../sglang.ts'

export interface SglangServer {
  url: string
  child: Child | undefined
  stop(): Promise<void>
}

/** Test processes that run beside each other take from different thousands: whoever is told a port has some seconds to open it. Ports are
 *  ten apart, as SGLang opens some more behind the one it is given (one per rank, or its process group's four). */
const thousand = 20_000 + 1000 * (process.pid % 12)
let taken = Math.floor(Math.random() * 100)

/** A TCP port that is free now on every address, below the range that the kernel hands out itself; the nine behind it are handed to nobody. */
export function freePort(): number {
  for (;;) {
    const port = thousand + 10 * (taken++ % 100)
    try {
      Bun.listen({ hostname: '0.0.0.0', port, socket: { data() {} } }).stop()
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
