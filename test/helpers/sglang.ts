// Where tests find the real SGLang that `bun run sglang:setup` made, and how an engine on CPU is started.
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dir, '../..')

/** The user's cache folder of this product. */
export function userCache(): string {
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'dynamo-sglang')
}

/** The python that has SGLang: DYN_SGLANG_PYTHON, else the one of `bun run sglang:setup`; undefined when neither is there. */
export function sglangPython(): string | undefined {
  const given = process.env.DYN_SGLANG_PYTHON
  if (given) return existsSync(given) ? given : undefined
  const made = join(userCache(), 'sglang-cpu/venv/bin/python')
  return existsSync(made) ? made : undefined
}

/** A fixture model's folder. */
export function tinyModel(name: 'tiny-llm' | 'tiny-embed' = 'tiny-llm'): string | undefined {
  const path = join(root, 'models', name)
  return existsSync(join(path, 'config.json')) ? path : undefined
}

/** The text diffusion fixture (models/tiny-llada2) with its weights, and what SGLang must be told for it. */
export async function tinyDiffusionModel(): Promise<{ path: string; args: string[] }> {
  const { llada2 } = await import('../../models/make.ts')
  const { writeWeights } = await import('../../models/diffusion/pipeline.ts')
  const path = writeWeights(llada2)
  const algorithm = ['--dllm-algorithm', 'LowConfidence', '--dllm-algorithm-config', join(path, 'dllm.yaml')]
  return { path, args: ['--trust-remote-code', ...algorithm, '--dtype', 'float32'] }
}

/** SGLang's arguments for a small engine without a GPU. */
export function cpuArgs(modelPath: string): string[] {
  const flags = '--device cpu --attention-backend torch_native --mem-fraction-static 0.3 --max-total-tokens 4096'
  return ['--model-path', modelPath, ...flags.split(' '), '--max-running-requests', '8', '--context-length', '2048']
}

/** On PYTHONPATH: SGLang starts with about a sixth less CPU time. */
export const quickStart = join(root, 'test/sglang/quick-start')

/** The environment such an engine needs. It imports in less time, which changes nothing that it does; with `quick` it also loads only the fixture's own model class unless another is asked for. */
export function cpuEnv(quick = true): Record<string, string> {
  const kept: Record<string, string> = { PYTHONPATH: quickStart }
  for (const name of ['PATH', 'HOME', 'TMPDIR', 'LD_LIBRARY_PATH', 'LANG'])
    if (process.env[name] !== undefined) kept[name] = process.env[name]!
  if (quick) kept.SGLANG_EXTERNAL_MODEL_PACKAGE = 'fixture_models'
  return { ...kept, SGLANG_USE_CPU_ENGINE: '1', HF_HUB_OFFLINE: '1', OMP_NUM_THREADS: '1', SGLANG_NCCL_SO_PATH: '/nonexistent/libnccl.so' }
}
