// Runs the program from source, as a user would from a shell.
import { join } from 'node:path'

const main = join(import.meta.dir, '../../src/main.ts')

/** Starts it with a bare environment plus `env`; output is piped. The caller ends it. */
export function start(args: readonly string[], env: Record<string, string> = {}) {
  const kept = Object.fromEntries(['PATH', 'HOME', 'TMPDIR'].flatMap((name) => (process.env[name] ? [[name, process.env[name]!]] : [])))
  return Bun.spawn([process.execPath, main, ...args], { env: { ...kept, ...env }, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
}

/** Runs it to its end. */
export async function run(args: readonly string[], env: Record<string, string> = {}): Promise<{ code: number; out: string; err: string }> {
  const program = start(args, env)
  const [out, err, code] = await Promise.all([program.stdout.text(), program.stderr.text(), program.exited])
  return { code, out, err }
}

/** Waits until `check` is true and does not throw; gives up after 50 s. */
export async function eventually(check: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 50_000
  for (;;) {
    const done = await check().catch((thrown) => {
      if (Date.now() > end) throw thrown
      return false
    })
    if (done) return
    if (Date.now() > end) throw new Error('it did not come true in 50 s')
    await Bun.sleep(50)
  }
}

/** The first text in a program's output that matches; reads on to nowhere, so that the program is never held up by a full pipe. */
export async function found(output: ReadableStream<Uint8Array>, pattern: RegExp): Promise<string> {
  const decoder = new TextDecoder()
  const reader = output.getReader()
  let text = ''
  for (;;) {
    const { value, done } = await reader.read()
    if (done) throw new Error(`the program ended without ${pattern}: ${text}`)
    text += decoder.decode(value, { stream: true })
    const match = pattern.exec(text)
    if (match === null) continue
    void drain(reader)
    return match[0]
  }
}

async function drain(reader: { read(): Promise<{ done: boolean }> }): Promise<void> {
  while (!(await reader.read()).done);
}
