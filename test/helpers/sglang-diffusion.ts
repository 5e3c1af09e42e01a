// SGLang's diffusion engine on CPU: where it is, how a test starts it, and what SGLang itself makes of the same request.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { tinyFlux } from '../../models/diffusion/flux.ts'
import { writeWeights } from '../../models/diffusion/pipeline.ts'
import { tinyWan } from '../../models/diffusion/wan.ts'
import type { DiffusionRequest } from '../../src/engine/diffusion/diffusion.ts'
import { type SglangDiffusion, sglangDiffusion } from '../../src/engine/sglang/diffusion/engine.ts'
import type { SglangDiffusionOptions } from '../../src/engine/sglang/diffusion/options.ts'
import { cpuEnv, sglangPython } from './sglang.ts'

/** The Python whose SGLang has its diffusion packages (`bun run sglang:setup` adds them); undefined when there is none. */
export function diffusionPython(): string | undefined {
  const python = sglangPython()
  if (python === undefined) return undefined
  const lib = join(python, '../../lib')
  const found = new Bun.Glob('python3*/site-packages/diffusers/__init__.py').scanSync({ cwd: lib })
  return existsSync(lib) && !found.next().done ? python : undefined
}

export const models = { image: tinyFlux, video: tinyWan }

/** The tiny model's folder, with weights. */
export function tinyPipeline(makes: 'image' | 'video'): string {
  return writeWeights(models[makes])
}

export function diffusionEnv(): Record<string, string> {
  // Without it the first picture waits 20 s for compilers.
  return { ...cpuEnv(), TORCHDYNAMO_DISABLE: '1' }
}

export const diffusionArgs = (modelPath: string): string[] => ['--model-path', modelPath, '--attention-backend', 'torch_sdpa']

/** An engine that was not started. */
export function cpuDiffusion(makes: 'image' | 'video', cacheDir: string, more: Partial<SglangDiffusionOptions> = {}): SglangDiffusion {
  return sglangDiffusion({
    python: diffusionPython()!,
    args: diffusionArgs(tinyPipeline(makes)),
    env: diffusionEnv(),
    cacheDir,
    makes,
    ...more,
  })
}

/** SHA-256 of each output's frames as SGLang's own Python API gives them, in a process of its own. */
export async function sglangsOwn(makes: 'image' | 'video', requests: readonly DiffusionRequest[]): Promise<string[][]> {
  const script = join(import.meta.dir, '../engine/sglang/diffusion/direct.py')
  const child = Bun.spawn([diffusionPython()!, '-W', 'ignore', script, tinyPipeline(makes)], {
    env: diffusionEnv(),
    stdin: new Blob([JSON.stringify(requests)]),
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [said, errors] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited])
  const answer = said.split('\n').findLast((line) => line.startsWith('[['))
  if (answer === undefined) throw new Error(`no answer of SGLang:\n${said.slice(-2000)}\n${errors.slice(-2000)}`)
  return JSON.parse(answer) as string[][]
}

/** The same number for frames of ours. */
export function sha256(frames: readonly Uint8Array[]): string {
  const hash = new Bun.CryptoHasher('sha256')
  for (const frame of frames) hash.update(frame)
  return hash.digest('hex')
}
