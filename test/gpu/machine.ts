// What a GPU measurement was taken on, and the engine flags that all of them share.

/** No real weights, one attention backend for everybody, room for 1024 streams, no prefix cache that would hide prefill. */
export const engineFlags: readonly string[] = [
  ...['--load-format', 'dummy', '--attention-backend', 'triton', '--sampling-backend', 'pytorch', '--grammar-backend', 'llguidance'],
  ...['--mem-fraction-static', '0.5', '--max-running-requests', '2048', '--cuda-graph-max-bs-decode', '1024', '--disable-radix-cache'],
]

export interface Machine {
  gpu: string
  driver: string
  cores: number
  python: string
  torch: string
  sglang: string
  dynamoSglang: string
}

/** Names and versions; an empty text where a program is missing. */
export function describeMachine(python: string, binary: string): Machine {
  const [gpu = '', driver = ''] = said(['nvidia-smi', '--query-gpu=name,driver_version', '--format=csv,noheader']).split(', ')
  const [pythonVersion = '', torch = '', sglang = ''] = said([
    ...[python, '-c', 'import sys, importlib.metadata as m; print(sys.version.split()[0], m.version("torch"), m.version("sglang"))'],
  ]).split(' ')
  const cores = navigator.hardwareConcurrency
  return { gpu, driver, cores, python: pythonVersion, torch, sglang, dynamoSglang: said([binary, 'version']) }
}

/** Memory in use on the first GPU, in MiB. */
export function gpuMemoryMiB(): number {
  return Number(said(['nvidia-smi', '--query-gpu=memory.used', '--format=csv,noheader,nounits']).split('\n')[0])
}

/** How busy the first GPU was in its last sampling period, in percent. */
export function gpuBusyPercent(): number {
  return Number(said(['nvidia-smi', '--query-gpu=utilization.gpu', '--format=csv,noheader,nounits']).split('\n')[0])
}

function said(command: string[]): string {
  try {
    // This script may itself be run by the executable under test, acting as Bun.
    return Bun.spawnSync(command, { stderr: 'ignore', env: { ...process.env, BUN_BE_BUN: undefined } })
      .stdout.toString()
      .trim()
  } catch {
    return ''
  }
}
