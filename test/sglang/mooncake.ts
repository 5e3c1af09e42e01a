// Mooncake over TCP in a CPU venv, for pairs.ts: its build without CUDA, and SGLang's Mooncake code told that indices are on the host already.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const pinned = 'mooncake-transfer-engine-non-cuda==0.3.13.post1'

export const mooncakeEnv = { MOONCAKE_PROTOCOL: 'tcp', MC_FORCE_TCP: '1' }

/** Installs it beside the SGLang of `python`. Needs libibverbs1 (apt-get install libibverbs1). Can be run again. */
export function addMooncake(python: string): void {
  const run = (...args: string[]) => {
    const ran = Bun.spawnSync([python, ...args], { stderr: 'inherit' })
    if (!ran.success) throw new Error(`${args.join(' ')} ended with code ${ran.exitCode}`)
    return ran.stdout.toString().trim()
  }
  run('-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-cache-dir', '--no-deps', pinned)
  const site = run('-c', "import sysconfig; print(sysconfig.get_path('purelib'))")
  const conn = join(site, 'sglang/srt/disaggregation/mooncake/conn.py')
  writeFileSync(conn, readFileSync(conn, 'utf8').replaceAll('supports_host_tensor_indices = True', 'supports_host_tensor_indices = False'))
}
