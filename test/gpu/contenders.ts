// Who is measured on the GPU: our executable over the real engine, and SGLang's own server as it comes and at its best settings.
import { closeSync, openSync, readFileSync } from 'node:fs'
import { leader } from './processes.ts'

export interface Contender {
  name: string
  command(at: { model: string; port: number; python: string; binary: string; engineFlags: string[] }): string[]
  env?: Record<string, string>
}

const sglangServer =
  (extra: string[]): Contender['command'] =>
  ({ model, port, python, engineFlags }) => [
    ...[python, '-m', 'sglang.launch_server', '--model-path', model, '--host', '127.0.0.1', '--port', String(port)],
    ...engineFlags,
    ...extra,
  ]

const oursServer =
  (extra: string[]): Contender['command'] =>
  ({ model, port, python, binary, engineFlags }) => [
    ...[binary, 'serve', '--model-path', model, '--python', python, '--http-host', '127.0.0.1', '--http-port', String(port)],
    ...engineFlags,
    ...extra,
  ]

export const contenders: Contender[] = [
  { name: 'ours', command: oursServer([]) },
  // The bridge's slower ways out of SGLang, for when the fast one does not fit a release.
  { name: 'ours-L0', command: oursServer(['--bridge-level', 'L0']) },
  { name: 'ours-L2', command: oursServer(['--bridge-level', 'L2']) },
  { name: 'sglang', command: sglangServer([]) },
  { name: 'sglang-best', command: sglangServer(['--tokenizer-worker-num', '8', '--detokenizer-worker-num', '4']) },
]

export interface Server {
  pid: number
  url: string
  readySecs: number
  stop(): Promise<void>
}

/** Starts a contender in its own process group and waits for /health; throws with the end of its log. */
export async function startContender(command: string[], port: number, log: string, timeoutSecs: number): Promise<Server> {
  const out = openSync(log, 'w')
  const began = performance.now()
  // This script may itself be run by the executable under test, acting as Bun.
  const child = Bun.spawn(['setsid', ...command], {
    stdout: out,
    stderr: out,
    stdin: 'ignore',
    env: { ...process.env, BUN_BE_BUN: undefined },
  })
  closeSync(out)
  leader(child.pid, log)
  const url = `http://127.0.0.1:${port}`
  while (performance.now() - began < timeoutSecs * 1000) {
    if (child.exitCode !== null) break
    const health = await fetch(`${url}/health`, { signal: AbortSignal.timeout(2000) }).catch(() => undefined)
    if (health?.status === 200) {
      return {
        pid: child.pid,
        url,
        readySecs: (performance.now() - began) / 1000,
        async stop() {
          process.kill(-child.pid, 'SIGTERM')
          const late = setTimeout(() => process.kill(-child.pid, 'SIGKILL'), 20_000)
          await child.exited
          clearTimeout(late)
          await Bun.sleep(1000)
        },
      }
    }
    await Bun.sleep(500)
  }
  if (child.exitCode === null) process.kill(-child.pid, 'SIGKILL')
  throw new Error(`${command[0]} was not ready:\n${readFileSync(log, 'utf8').slice(-3000)}`)
}

/** The name the server gives its first model. */
export async function modelName(url: string): Promise<string> {
  const list = (await (await fetch(`${url}/v1/models`)).json()) as { data: { id: string }[] }
  return list.data[0]!.id
}
