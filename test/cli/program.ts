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

/** Waits until `check` is true and does not throw; gives up after 20 s. */
export async function eventually(check: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 20_000
  for (;;) {
    const done = await check().catch((thrown) => {
      if (Date.now() > end) throw thrown
      return false
    })
    if (done) return
    if (Date.now() > end) throw new Error('it did not come true in 20 s')
    await Bun.sleep(50)
  }
}
