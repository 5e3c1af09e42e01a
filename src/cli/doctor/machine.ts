// The checks of `doctor` on this machine, each a function of what it reads, so that tests can give it another one. None of them changes anything.
import { accessSync, constants, existsSync, readdirSync, readFileSync, statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type Finding, fail, ok, warn } from './finding.ts'

/** `nvidiaSmi` is the output of --query-gpu=name,memory.total,memory.used,driver_version (csv, no header, no units), if it could be run. */
export function checkGpu(nvidiaSmi: string | undefined, driverFile = '/proc/driver/nvidia/version', visible?: string): Finding {
  const lines = nvidiaSmi?.trim().split('\n').filter(Boolean) ?? []
  if (lines.length > 0) {
    const cards = lines.map((line) => line.split(',').map((part) => part.trim()))
    const [name = '?', total = '?', used = '?', driver = '?'] = cards[0]!
    const what = `${lines.length} GPU(s): ${name}, ${used} of ${total} MiB used, driver ${driver}`
    if (visible === '') return warn(`${what}, all hidden`, 'CUDA_VISIBLE_DEVICES is empty; unset it to use the GPUs')
    const busy = cards.filter((card) => Number(card[2]) > 0.5 * Number(card[1])).length
    return busy === 0 ? ok(what) : warn(what, `${busy} GPU(s) are more than half full already; see the processes below, or nvidia-smi`)
  }
  if (existsSync(driverFile))
    return warn('NVIDIA driver present, but nvidia-smi does not answer', 'check the driver, or the --gpus option of docker run')
  return warn('no NVIDIA GPU', 'serve --engine mock and --engine http need none; SGLang itself wants one, or its CPU flags (--device cpu)')
}

/** `answer` is "<python version> <sglang version or -> <diffusers version or ->" of the probe; undefined when the program could not be run. `makes`: what it is to serve; absent: text. */
export function checkPython(python: string, answer: string | undefined, makes?: 'image' | 'video'): Finding {
  if (answer === undefined) return fail(`${python} cannot be run`, 'give the Python that has SGLang: --python PATH or DYN_SGLANG_PYTHON')
  const [version = '?', sglang = '-', diffusers = '-'] = answer.trim().split(' ')
  const packages = makes === undefined ? 'sglang' : '"sglang[diffusion]"'
  if (sglang === '-')
    return fail(`${python} (${version}) has no SGLang`, `install it (${python} -m pip install ${packages}) or give another --python`)
  if (olderThan(sglang, [0, 5, 9]))
    return fail(`SGLang ${sglang} in ${python}`, `SGLang 0.5.9 or newer is needed: ${python} -m pip install -U ${packages}`)
  if (makes !== undefined && diffusers === '-')
    return fail(
      `SGLang ${sglang} in ${python} lacks its packages for images and videos`,
      `install them (${python} -m pip install ${packages}) or give another --python`,
    )
  return ok(`SGLang ${sglang} in ${python} (Python ${version})`)
}

function olderThan(version: string, least: readonly number[]): boolean {
  const numbers = version.split(/[.a-z+]/).map((part) => Number(part) || 0)
  for (const [i, wanted] of least.entries()) {
    if ((numbers[i] ?? 0) !== wanted) return (numbers[i] ?? 0) < wanted
  }
  return false
}

/** SGLang's processes pass tensors through shared memory; containers often have 64 MB of it. */
export function checkShm(path = '/dev/shm'): Finding {
  if (!existsSync(path)) return fail(`${path} is missing`, 'mount a tmpfs there (docker run --shm-size=10G)')
  const info = statfsSync(path)
  const gib = (info.blocks * info.bsize) / 2 ** 30
  const what = `shared memory ${gib.toFixed(1)} GiB`
  return gib >= 1 ? ok(what) : warn(what, 'give the container more: docker run --shm-size=10G, or --ipc host')
}

/** `limits` is the text of /proc/self/limits. */
export function checkLimits(limits: string): Finding[] {
  const soft = (name: string): string => new RegExp(`^${name} +(\\S+)`, 'm').exec(limits)?.[1] ?? '?'
  const files = soft('Max open files')
  const memlock = soft('Max locked memory')
  return [
    files === 'unlimited' || Number(files) >= 65536
      ? ok(`open files ${files}`)
      : warn(`open files ${files}`, 'each client takes one: ulimit -n 65536, or docker run --ulimit nofile=65536:65536'),
    memlock === 'unlimited'
      ? ok('locked memory unlimited')
      : warn(`locked memory ${memlock} bytes`, 'RDMA between workers needs it: ulimit -l unlimited, or docker run --ulimit memlock=-1'),
  ]
}

/** Binds the port for a moment. `flag` is where another one can be given. */
export function checkPort(host: string, port: number, flag = '--http-port', reusePort = false): Finding {
  try {
    void Bun.serve({ hostname: host, port, reusePort, fetch: () => new Response() }).stop(true)
    return ok(`port ${port} is free`)
  } catch (thrown) {
    const { code, message } = thrown as { code?: string; message: string }
    if (code === 'EADDRINUSE') return fail(`port ${port} on ${host} is already in use`, `stop what uses it, or choose another with ${flag}`)
    if (code === 'EACCES') return fail(`port ${port} on ${host} needs more rights`, `choose one above 1023 with ${flag}`)
    return fail(`cannot listen on ${host}, port ${port}: ${message}`, `give an address of this machine (see ${flag} in the help)`)
  }
}

/** A folder as given, or a hub name (which is not looked up). A folder of a diffusion model is for checkMediaModel (media.ts). */
export function checkModel(path: string, hubCache: string): Finding {
  if (!existsSync(path)) {
    if (!/^[\w.-]+\/[\w.-]+$/.test(path)) return fail(`model ${path}: there is no such folder`, 'check --model-path')
    const cached = join(hubCache, 'hub', `models--${path.replace('/', '--')}`)
    return existsSync(cached)
      ? ok(`model ${path} is in the hub's cache`)
      : warn(`model ${path} is not in the hub's cache`, 'the first start downloads it')
  }
  const files = statSync(path).isDirectory() ? readdirSync(path) : []
  const missing: string[] = []
  if (!files.includes('config.json')) {
    if (files.includes('model_index.json'))
      return fail(`model ${path} is a diffusion model (model_index.json)`, 'it needs --image-diffusion-worker or --video-generation-worker')
    missing.push('config.json')
  }
  if (!files.some((name) => /^(tokenizer\.json|tokenizer\.model|.*tiktoken.*)$/.test(name))) missing.push('tokenizer.json')
  if (!files.some((name) => /\.(safetensors|bin|gguf)$/.test(name))) missing.push('weights (*.safetensors)')
  return missing.length === 0
    ? ok(`model ${path}`)
    : fail(`model ${path} lacks ${missing.join(', ')}`, 'copy or download the whole model folder')
}

/** `roots` in order of preference; the first usable one counts. */
export function checkCache(roots: readonly string[]): Finding {
  for (const root of roots) {
    try {
      accessSync(nearest(root), constants.W_OK | constants.X_OK)
      return root === roots.at(-1)
        ? warn(`cache ${root}`, 'it may vanish at the next start of the machine; make ~/.cache writable or set DYN_CACHE_DIR')
        : ok(`cache ${root}`)
    } catch {
      // Told below when no root is left.
    }
  }
  return fail(`no writable cache folder (${roots.join(', ')})`, 'set DYN_CACHE_DIR to a folder that can be written')
}

export function nearest(path: string): string {
  let folder = path
  while (!existsSync(folder)) folder = join(folder, '..')
  return folder
}

export interface SglangProcess {
  pid: number
  title: string
  /** Its starter is gone: it holds GPU memory for nobody. */
  orphan: boolean
}

/** SGLang's processes on this machine, by their titles (sglang::scheduler, sgl_diffusion::scheduler, …). */
export function sglangProcesses(proc = '/proc'): SglangProcess[] {
  const found: SglangProcess[] = []
  for (const name of readdirSync(proc)) {
    if (!/^\d+$/.test(name)) continue
    try {
      const title = readFileSync(join(proc, name, 'cmdline'), 'utf8')
        .replaceAll('\0', ' ')
        .trim()
      if (!/^(sglang::|sgl_diffusion::|sglang-diffusionWorker)|sglang\.launch_server/.test(title)) continue
      const stat = readFileSync(join(proc, name, 'stat'), 'utf8')
      const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      if (state !== 'Z')
        found.push({ pid: Number(name), title: title.split(' ')[0]!, orphan: parent === '1' && !title.includes('launch_server') })
    } catch {
      // The process ended between the listing and the reading.
    }
  }
  return found.sort((a, b) => a.pid - b.pid)
}

/** Orphans of an earlier run keep GPU memory: the next start would fail for lack of it. */
export function checkProcesses(processes: readonly SglangProcess[]): Finding {
  const orphans = processes.filter((one) => one.orphan)
  if (orphans.length === 0)
    return ok(processes.length === 0 ? 'no SGLang process running' : `${processes.length} SGLang process(es) running, none orphaned`)
  const list = orphans.map((one) => `${one.pid} (${one.title})`).join(', ')
  return warn(`orphaned SGLang processes: ${list}`, `they hold memory for nobody: kill -9 ${orphans.map((one) => one.pid).join(' ')}`)
}
