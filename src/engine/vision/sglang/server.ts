// An SGLang encoder server (`--encoder-only`) as a child of ours, from its start to the first health check that it passes, and its end.
import { createServer } from 'node:net'
import { AppError } from '../../../lib/errors.ts'
import { pythonNotFound, startError } from '../../sglang/launch/start-error.ts'
import { type Child, type Exit, startChild } from '../../supervisor.ts'

export interface ServerOptions {
  /** A path, or a name to find in `env.PATH`. */
  python: string
  /** SGLang's arguments, as the user wrote them; the model's path among them. */
  args: readonly string[]
  env: Readonly<Record<string, string>>
  /** It encodes on the CPU: whether it works is seen. */
  onCpu?: boolean
  onLine?: (line: string) => void
}

export interface EncoderServer {
  readonly pid: number
  /** Why it ended. */
  readonly died: Promise<string>
  stop(graceMs: number): Promise<void>
}

/** Pictures that SGLang encodes together differ in their last bits from those encoded alone, and KV blocks are named by these bits. Who wants the speed of batches sets it. */
const alone = { SGLANG_ENCODER_MAX_BATCH_SIZE: '1' }

/** What is our matter, not the user's. */
const ours = ['--encoder-only', '--encoder-transfer-backend', 'zmq_to_scheduler', '--host', '127.0.0.1']
const healthEveryMs = 250

/** A port of this machine that nothing listens on now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}

/** Starts it on `port` and resolves when `healthy` says so. Rejects with a start-up AppError; nothing is left running then. */
export async function startEncoderServer(
  { python, args, env, onLine = () => {} }: ServerOptions,
  port: number,
  healthy: (signal: AbortSignal) => Promise<boolean>,
  signal: AbortSignal,
): Promise<EncoderServer> {
  const program = Bun.which(python, { PATH: env.PATH ?? '' })
  if (!program) throw pythonNotFound(python)
  let child: Child
  try {
    child = startChild({
      command: [program, '-u', '-m', 'sglang.launch_server', ...args, ...ours, '--port', `${port}`],
      env: { ...alone, ...env },
      onLine,
    })
  } catch (thrown) {
    throw (thrown as { code?: string }).code === undefined ? thrown : pythonNotFound(python)
  }
  const gone = new AbortController()
  const died = child.exited.then((exit) => {
    gone.abort()
    return ended(exit)
  })
  const either = AbortSignal.any([gone.signal, signal])
  while (!either.aborted && !(await healthy(either))) await Bun.sleep(healthEveryMs)
  if (gone.signal.aborted) throw startError(undefined, child.lastLines(), await died)
  if (signal.aborted) {
    await child.stop(0)
    throw new AppError('engine_unavailable', { message: "SGLang's encoder was stopped before it had started." })
  }
  return {
    pid: child.pid,
    died,
    async stop(graceMs) {
      await child.stop(graceMs)
    },
  }
}

function ended({ code, signal }: Exit): string {
  return signal ? `SGLang's encoder was ended by ${signal}` : `SGLang's encoder exited with status ${code}`
}
