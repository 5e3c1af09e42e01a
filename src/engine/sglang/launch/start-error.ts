// Why SGLang did not start, from what it said: one clear line with what to do, and SGLang's own words.
import { AppError, type ErrorCode } from '../../../lib/errors.ts'
import type { Fatal } from '../frames.ts'

interface Cause {
  pattern: RegExp
  code: ErrorCode
  param?: string
  /** `$1` is the pattern's first group. */
  advice: string
  /** In its place for images and videos. */
  diffusion?: string
}

/** In order: the first that matches wins, so the precise come before the general. */
const causes: readonly Cause[] = [
  {
    // The bridge's own imports come first; a Python without SGLang most likely lacks them too.
    pattern: /No module named '?(sglang|msgspec|zmq)\b/,
    code: 'sglang_not_found',
    param: '--python',
    advice: 'SGLang is not installed for this Python. Install it there (pip install sglang) or name another Python with --python.',
    diffusion:
      'SGLang is not installed for this Python. Install it there with its packages for images and videos (pip install "sglang[diffusion]") or name another Python with --python.',
  },
  {
    pattern: /No module named '?(diffusers|cache_dit|addict|imageio|moviepy)\b/,
    code: 'sglang_not_found',
    param: '--python',
    advice: 'SGLang is there without its packages for images and videos ($1 is missing). Install them: pip install "sglang[diffusion]".',
  },
  {
    pattern: /No module named '?([\w.]+)/,
    code: 'sglang_not_found',
    param: '--python',
    advice:
      'The Python package $1, which SGLang needs, is missing. Install SGLang with all its packages, or name another Python with --python.',
    diffusion:
      'The Python package $1, which SGLang needs, is missing. Install SGLang with all its packages (pip install "sglang[diffusion]"), or name another Python with --python.',
  },
  {
    pattern: /unrecognized arguments?: (.+)/,
    code: 'sglang_failed',
    advice: 'This SGLang does not know: $1. Compare with `python -m sglang.launch_server --help`.',
  },
  {
    pattern: /(?:error: )?(argument --?[\w-]+(?:\/--?[\w-]+)*: .+|the following arguments are required: .+)/,
    code: 'sglang_failed',
    advice: 'SGLang refuses its arguments: $1',
  },
  {
    // models/llava.py of 0.5.23 makes CLIP's tower by way of its class for transformers' language models.
    pattern: /'Conv2d' object has no attribute 'num_embeddings'/,
    code: 'sglang_failed',
    param: '--model-impl',
    advice: "SGLang's own class of this model cannot make its vision tower. Serve transformers' model: --model-impl transformers.",
  },
  {
    pattern: /assert page_size == 1\b/,
    code: 'sglang_failed',
    param: '--page-size',
    advice: "This model's attention needs pages of one token: start with --page-size 1.",
  },
  {
    pattern: /SGLANG_DISABLE_CUDNN_CHECK|cuDNN (?:frontend|lib)\b.* requires cuDNN/i,
    code: 'sglang_failed',
    advice: 'SGLang refuses the installed cuDNN. Install the version it names, or skip the check with SGLANG_DISABLE_CUDNN_CHECK=1.',
  },
  {
    pattern: /leave no GPU memory for the KV cache|(?:raise|increase) --mem-fraction-static/i,
    code: 'sglang_failed',
    param: '--mem-fraction-static',
    advice:
      'No memory is left for the KV cache. Raise --mem-fraction-static, stop what else uses the memory, or spread the model with --tp-size.',
  },
  {
    pattern:
      /Raise --mem-fraction-static|leave no GPU memory|CUDA out of memory|OutOfMemoryError|HIP out of memory|Not enough memory|cudaErrorMemoryAllocation|CUDA error: out of memory/i,
    code: 'sglang_failed',
    param: '--mem-fraction-static',
    advice:
      'The GPU has not enough memory. Processes that an earlier run left may hold it: dynamo-sglang doctor names them (sglang::scheduler, sgl_diffusion::scheduler) and how to end them. Else stop what uses it (nvidia-smi), spread the model with --tp-size, or lower --context-length or --mem-fraction-static (images and videos: --dit-cpu-offload true, --text-encoder-cpu-offload true).',
  },
  {
    pattern: /Address already in use|EADDRINUSE|port (\d+) (?:is|was) (?:already )?(?:in use|occupied|not available)/i,
    code: 'port_in_use',
    advice: 'A port that SGLang needs is taken. Stop the other process, or choose with --port, --nccl-port or --dist-init-addr.',
  },
  {
    pattern:
      /is not a local folder and is not a valid model identifier|Repo id must be in the form|RepositoryNotFoundError|Can't load (?:the )?config|no file named config\.json|couldn't connect to '?https:\/\/huggingface|LocalEntryNotFoundError|does not appear to have a file named config\.json|No such file or directory: '[^']*(?:config\.json|safetensors)'|Unrecognized model in|model path .* does not exist/i,
    code: 'model_path_not_found',
    param: '--model-path',
    advice:
      'The model was not found. --model-path takes a folder with config.json and all its weights, or the name of a model that can be downloaded.',
    diffusion:
      'The model was not found, or files of it are missing. --model-path takes a folder with model_index.json and beside it, for each part that it names, a folder with the config and all the weights; or the name of a model that can be downloaded.',
  },
  {
    pattern: /Found no NVIDIA driver|No CUDA GPUs are available|CUDA driver version is insufficient|No accelerator .* is available/i,
    code: 'sglang_failed',
    advice: 'No usable GPU was found. Check the driver (nvidia-smi) and that the container sees the GPU (--gpus all).',
  },
]

/** Python's tracebacks end with the reason: the last line that names an error, else the last line at all. */
function lastError(lines: readonly string[]): string {
  const errors = lines.filter((line) => /^\s*(?:[\w.]+(?:Error|Exception|Interrupt)\b|error:)|\berror: /i.test(line))
  return (errors.at(-1) ?? lines.at(-1) ?? '').trim()
}

/** The start-up error for what the bridge said (`fatal`, if it got that far) and its last lines of output. `diffusion`: it was to make images or videos. */
export function startError(fatal: Fatal | undefined, lines: readonly string[], exit: string, diffusion = false): AppError {
  const said = fatal?.message?.trim() || lastError([...lines, ...(fatal?.lines ?? [])])
  if (fatal?.code === 'unsupported')
    return new AppError('sglang_unsupported', {
      message: `This SGLang cannot be driven: ${said}. Install a release that is supported (see README), or attach to its server with --engine http.`,
    })
  if (fatal?.code === 'model_missing')
    return new AppError('model_path_not_found', {
      message: `${said}. --model-path takes a folder in the layout of diffusers, or the name of a model that can be downloaded.`,
      param: '--model-path',
    })
  if (fatal?.code === 'model_unfit') return new AppError('invalid_setting', { message: said, param: '--model-path' })
  // SGLang tries every model file at start and shrugs at those that cannot be imported: that is never the reason.
  const output = [...(fatal?.lines ?? []), ...lines].filter((line) => !line.includes('Ignore import error'))
  for (const text of [said, output.join('\n')]) {
    for (const cause of causes) {
      const match = cause.pattern.exec(text)
      if (!match) continue
      const advice = ((diffusion && cause.diffusion) || cause.advice).replace('$1', match[1]?.trim() ?? '')
      const own = said && !advice.includes(said) ? ` SGLang said: ${said}` : ''
      return new AppError(cause.code, { message: advice + own, param: cause.param })
    }
  }
  const tail = lines.slice(-12).join('\n')
  return new AppError('sglang_failed', {
    message: `SGLang did not start (${exit}): ${said || 'it said nothing'}${tail && tail !== said ? `\nIts last lines:\n${tail}` : ''}`,
  })
}

/** There is no such program. */
export function pythonNotFound(python: string): AppError {
  return new AppError('python_not_found', {
    message: `The Python interpreter ${python} was not found or cannot be run. Name the one that has SGLang with --python or DYN_SGLANG_PYTHON.`,
    param: '--python',
  })
}
