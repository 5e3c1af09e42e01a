// The load clients of other projects that tests run against us, and where they are kept: `bun test/interop/setup.ts` installs them.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { sglangPython, userCache } from './sglang.ts'

/** Folder of a virtual environment with aiperf. */
export const aiperfVenv = () => join(userCache(), 'aiperf')

/** What sglang.bench_serving imports and the CPU venv lacks; goes to PYTHONPATH. */
export const benchServingExtra = () => join(userCache(), 'bench-serving')

/** The aiperf command: DYN_AIPERF, else the one in the cache; undefined when there is none. */
export function aiperf(): string | undefined {
  const path = process.env.DYN_AIPERF ?? join(aiperfVenv(), 'bin/aiperf')
  return existsSync(path) ? path : undefined
}

/** The python and PYTHONPATH with which `-m sglang.bench_serving` runs; undefined when something is missing. */
export function benchServing(): { python: string; env: Record<string, string> } | undefined {
  const python = sglangPython()
  if (python === undefined) return undefined
  const path = [benchServingExtra(), process.env.PYTHONPATH].filter(Boolean).join(':')
  const env = { PYTHONPATH: path }
  const probe = "import importlib.util as u, sys; sys.exit(not (u.find_spec('sglang') and u.find_spec('datasets')))"
  return Bun.spawnSync([python, '-c', probe], { env: { ...process.env, ...env } }).exitCode === 0 ? { python, env } : undefined
}
