// `export-vision`: the vision tower of a model as ONNX. The work is done by our Python files in the user's environment, which need numpy and onnx only: the
// checkpoint is read without torch, and the graph is written node by node instead of traced.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AppError } from '../../../lib/errors.ts'
import type { TowerFacts } from '../onnx/tower-file.ts'
import checkpoint from './python/checkpoint.py' with { type: 'text' }
import entry from './python/export_vision.py' with { type: 'text' }
import failure from './python/failure.py' with { type: 'text' }
import families from './python/families.py' with { type: 'text' }
import graph from './python/graph.py' with { type: 'text' }
import tower from './python/tower.py' with { type: 'text' }

export type Storage = TowerFacts['storage']

export interface ExportOptions {
  /** Folder with config.json and safetensors, or the Hub's name of a model. */
  modelPath: string
  /** Absent: vision.onnx in the folder. Weights that are large go into a file beside it, `.data` added. */
  out?: string
  /** Python with numpy and onnx. */
  python: string
  /** Absent: as the checkpoint has the weights, which loses nothing. */
  storage?: Storage
  /** Up to this many bytes of weights lie in the file itself; protobuf ends at 2 GiB. */
  inlineBytes?: number
  /** The whole environment of Python. */
  env: Readonly<Record<string, string>>
}

export interface Exported {
  path: string
  /** With the file beside it. */
  bytes: number
  facts: TowerFacts
}

/** A test compares this list with the folder. */
export const exporterFiles: Readonly<Record<string, string>> = {
  'checkpoint.py': checkpoint,
  'export_vision.py': entry,
  'failure.py': failure,
  'families.py': families,
  'graph.py': graph,
  'tower.py': tower,
}

/** Takes a second and the weights' size in memory, one tensor at a time. Rejects with `python_not_found`, `model_files_invalid` or `invalid_setting`. */
export async function exportVision(options: ExportOptions): Promise<Exported> {
  const { modelPath, out, python, storage, inlineBytes = 256 << 20, env } = options
  const folder = await mkdtemp(join(tmpdir(), 'export-vision-'))
  try {
    await Promise.all(Object.entries(exporterFiles).map(([name, text]) => writeFile(join(folder, name), text)))
    const told = JSON.stringify({ modelPath, out, storage, inlineBytes })
    const { code, stdout, stderr } = await run([python, join(folder, 'export_vision.py'), told], env)
    const said = answer(stdout)
    if (said?.missing) throw missing(said.missing, python)
    if (said?.failure !== undefined) throw refused(said.failure, said.param)
    if (code !== 0 || said?.path === undefined) throw broken(code, stderr)
    return said as Exported
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function run(command: string[], env: Readonly<Record<string, string>>) {
  let child: Bun.Subprocess<'ignore', 'pipe', 'pipe'>
  try {
    child = Bun.spawn(command, { env: { ...env, PYTHONDONTWRITEBYTECODE: '1' }, stdio: ['ignore', 'pipe', 'pipe'] })
  } catch (cause) {
    throw new AppError('python_not_found', {
      param: '--python',
      message: `The Python interpreter ${command[0]} was not found or cannot be run. Name another one with --python.`,
      cause,
    })
  }
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited])
  return { code, stdout, stderr }
}

type Answer = Partial<Exported> & { missing?: string[]; failure?: string; param?: string }

/** The last line of what Python printed. */
function answer(stdout: string): Answer | undefined {
  const line = stdout.trim().split('\n').at(-1) ?? ''
  return line.startsWith('{') ? (JSON.parse(line) as Answer) : undefined
}

/** `param`: the option at fault where it is not the model. */
function refused(why: string, param?: string): AppError {
  const message = `${why.replace(/\.$/, '')}.`
  if (param !== undefined) return new AppError('invalid_setting', { param, message })
  return new AppError('model_files_invalid', { param: '--model-path', message })
}

function missing(names: readonly string[], python: string): AppError {
  return new AppError('invalid_setting', {
    param: '--python',
    message: `${python} lacks ${names.join(' and ')}. Install ${names.length > 1 ? 'them' : 'it'} with: ${python} -m pip install ${names.join(' ')}`,
  })
}

function broken(code: number | null, stderr: string): AppError {
  const last = stderr.trim().split('\n').at(-1)
  return new AppError('model_files_invalid', {
    param: '--model-path',
    message: `The export ended with code ${code}${last ? `: ${last}` : ' and said nothing'}`,
    cause: stderr,
  })
}
