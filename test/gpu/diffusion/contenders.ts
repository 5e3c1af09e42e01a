// Who makes the pictures: our server, SGLang's own, and SGLang's engine alone in a Python process; all with the same flags, environment and marks.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { newPort } from '../plan.ts'
import { type Running, ready, run } from '../processes.ts'

export type Name = 'ours' | 'sglang' | 'engine'

export interface Contender {
  name: Name
  url: string
  /** Where its worker writes its marks. */
  marks: string
  readySecs: number
  process: Running
}

export interface Setup {
  kind: 'image' | 'video'
  model: string
  python: string
  binary: string
  work: string
  /** Of SGLang's engine, for all. */
  engineFlags: readonly string[]
  ffmpeg?: string
}

const here = join(import.meta.dir, 'python')

/** Starts one; throws with the end of its log when it is not up after `secs`. */
export async function startContender(name: Name, setup: Setup, secs: number): Promise<Contender> {
  const work = join(setup.work, setup.kind)
  mkdirSync(work, { recursive: true })
  const [port, scheduler, master] = [newPort(), newPort(), newPort()]
  const marks = join(work, `${name}.marks`)
  const env = { PYTHONPATH: [here, process.env.PYTHONPATH].filter(Boolean).join(':'), DSGL_GPU_MARKS: marks, HF_HUB_OFFLINE: '1' }
  const { python, binary, model, engineFlags } = setup
  const ports = ['--scheduler-port', String(scheduler), '--master-port', String(master)]
  const of = ['--model-path', model, ...engineFlags]
  const role = setup.kind === 'image' ? '--image-diffusion-worker' : '--video-generation-worker'
  const commands: Record<Name, string[]> = {
    ours: [
      ...[binary, 'serve', role, ...of, '--python', python, '--http-host', '127.0.0.1', '--http-port', String(port)],
      ...['--media-output-fs-url', `file://${join(work, 'media')}`, '--media-jobs-folder', join(work, 'jobs')],
      ...(setup.ffmpeg === undefined ? [] : ['--ffmpeg', setup.ffmpeg]),
    ],
    sglang: [
      ...[python, '-m', 'sglang.multimodal_gen.runtime.launch_server', ...of, ...ports, '--host', '127.0.0.1', '--port', String(port)],
      ...['--output-path', join(work, 'sglang-outputs')],
    ],
    engine: [python, '-u', join(here, 'engine.py'), String(port), ...of, ...ports, '--port', String(newPort())],
  }
  const running = run(commands[name], join(work, `${name}.log`), env)
  const url = `http://127.0.0.1:${port}`
  const answers = async () => (await fetch(`${url}/health`, { signal: AbortSignal.timeout(2000) })).status === 200
  return { name, url, marks, process: running, readySecs: await ready(name, running, answers, secs) }
}
