// `serve --workers N`: the same engine N times on one machine, each with its own GPUs and its own range of ports.
import { AppError } from '../../lib/errors.ts'
import type { DiffusionEngineOptions, EngineOptions } from '../options.ts'

/** SGLang takes its ports from one to a thousand above --port (srt/server_args.py, PortArgs). */
const portsApart = 1000
const firstPort = 21_000

/** The options of copy `index` of `count`. One copy, and engines that are not SGLang, are as the user wrote them. */
export function engineCopy(options: EngineOptions, index: number, count: number): EngineOptions {
  if (count === 1 || options.kind !== 'sglang') return options
  const { args } = options
  const extra = ['--port', String(numberAfter(args, '--port', firstPort) + index * portsApart)]
  if (!isCpu(args)) extra.push('--base-gpu-id', String(numberAfter(args, '--base-gpu-id', 0) + index * gpusOf(args)))
  return { ...options, args: [...without(args, ['--port', '--base-gpu-id']), ...extra] }
}

/** GPUs that one engine takes. With data-parallel attention the ranks share the tensor-parallel GPUs. */
export function gpusOf(args: readonly string[]): number {
  const tensor = numberAfter(args, '--tensor-parallel-size', numberAfter(args, '--tp-size', numberAfter(args, '--tp', 1)))
  const pipeline = numberAfter(args, '--pipeline-parallel-size', numberAfter(args, '--pp-size', 1))
  const data = numberAfter(args, '--data-parallel-size', numberAfter(args, '--dp-size', numberAfter(args, '--dp', 1)))
  return tensor * pipeline * (args.includes('--enable-dp-attention') ? 1 : data)
}

/** No GPU is used. */
export function isCpu(args: readonly string[]): boolean {
  return args.some((word, i) => word === '--device=cpu' || (word === '--device' && args[i + 1] === 'cpu'))
}

/** The last one counts, as for SGLang's own parser. */
function numberAfter(args: readonly string[], flag: string, absent: number): number {
  for (let i = args.length - 1; i >= 0; i--) {
    const word = args[i]!
    const text = word === flag ? args[i + 1] : word.startsWith(`${flag}=`) ? word.slice(flag.length + 1) : undefined
    if (text !== undefined && Number.isInteger(Number(text))) return Number(text)
  }
  return absent
}

function without(args: readonly string[], flags: readonly string[]): string[] {
  const kept: string[] = []
  for (let i = 0; i < args.length; i++) {
    const word = args[i]!
    if (flags.includes(word)) i++
    else if (!flags.some((flag) => word.startsWith(`${flag}=`))) kept.push(word)
  }
  return kept
}

/**
 * The same for diffusion engines: GPUs by CUDA_VISIBLE_DEVICES, which every release minds. Ports are free ones unless the user chose where they begin.
 * Throws `invalid_setting` when this process was given fewer GPUs than all copies need.
 */
export function diffusionCopy(options: DiffusionEngineOptions, index: number, count: number): DiffusionEngineOptions {
  if (count === 1 || options.kind !== 'sglang') return options
  const { args, env } = options
  const gpus = numberAfter(args, '--num-gpus', numberAfter(args, '--tp-size', 1) * numberAfter(args, '--dp-size', 1))
  const visible = env.CUDA_VISIBLE_DEVICES?.split(',').filter(Boolean) ?? Array.from({ length: count * gpus }, (_, i) => String(i))
  if (visible.length < count * gpus)
    throw new AppError('invalid_setting', {
      message: `--workers ${count} needs ${count * gpus} GPUs, ${gpus} for each, but CUDA_VISIBLE_DEVICES names ${visible.length}.`,
      param: '--workers',
    })
  const own = visible.slice(index * gpus, (index + 1) * gpus)
  const chosen = diffusionPorts.filter((flag) => args.some((word) => word === flag || word.startsWith(`${flag}=`)))
  const ports = chosen.flatMap((flag) => [flag, String(numberAfter(args, flag, 0) + index * portsApart)])
  return { ...options, env: { ...env, CUDA_VISIBLE_DEVICES: own.join(',') }, args: [...without(args, chosen), ...ports] }
}

const diffusionPorts = ['--port', '--scheduler-port', '--master-port']
