// Finds the python that has SGLang and the PyPI `openai` client, and runs scripts with it.
import { join } from 'node:path'
import { sglangPython } from './sglang.ts'

const root = join(import.meta.dir, '../..')

/** The python of `bun run sglang:setup` or DYN_SGLANG_PYTHON, when it can import `module`; else undefined. */
export function pythonWith(module: string): string | undefined {
  const python = sglangPython()
  if (python === undefined) return undefined
  const found = Bun.spawnSync([python, '-c', `import importlib.util, sys; sys.exit(importlib.util.find_spec('${module}') is None)`])
  return found.exitCode === 0 ? python : undefined
}

export interface Ran {
  code: number
  stdout: string
  stderr: string
}

/** Runs to its end or for `ms`, in the repository's root, with the hub switched off. A variable that is given as undefined is not set. */
export async function run(command: string[], ms: number, env: Record<string, string | undefined> = {}): Promise<Ran> {
  const offline = { HF_HUB_OFFLINE: '1', TRANSFORMERS_OFFLINE: '1', no_proxy: '127.0.0.1', NO_PROXY: '127.0.0.1' }
  const child = Bun.spawn(command, {
    cwd: root,
    env: { ...process.env, ...offline, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: ms,
  })
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited])
  return { code, stdout, stderr }
}
