// The diffusion engine that the options name. Each kind is imported only when it is used.
import type { DiffusionEngine } from '../../engine/diffusion/diffusion.ts'
import { log } from '../../lib/log.ts'
import type { DiffusionEngineOptions } from '../options.ts'

/** `name` begins its lines in the log; `modelPath` is a folder for the mock. Throws AppError `invalid_setting`, `model_path_not_found`, `model_files_invalid`. */
export async function makeDiffusionEngine(
  options: DiffusionEngineOptions,
  { modelPath, makes, version }: { modelPath: string; makes: 'image' | 'video'; version: string },
  name: string,
): Promise<DiffusionEngine> {
  if (options.kind === 'mock') {
    const { mockDiffusion } = await import('../../engine/mock/diffusion/engine.ts')
    const { speedupRatio, failure, replicas } = options
    return mockDiffusion({ modelPath, makes, speedupRatio, replicas, failure, version })
  }
  const { sglangDiffusion } = await import('../../engine/sglang/diffusion/engine.ts')
  const { python, args, env, cacheDir } = options
  return sglangDiffusion({
    ...{ python, args, env, cacheDir, makes },
    onLine: (line) => process.stderr.write(`[${name}] ${line}\n`),
    onNotice: (text) => log.warn({ engine: name }, text),
  })
}
