// `bun run sglang:setup`: a real SGLang on the CPU, in the user's cache folder, so that all clones share it. Can be run again at any time:
// what is done stays done, what was interrupted goes on, and two runs at once wait for each other.
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { userCache } from '../helpers/sglang.ts'
import { install } from './install.ts'
import { locked } from './lock.ts'
import { nixlOnHostMemory } from './nixl.ts'
import { slimTorch } from './slim.ts'

const here = import.meta.dir
const folder = join(userCache(), 'sglang-cpu')
const venv = join(folder, 'venv')
const python = join(venv, 'bin/python')
const marker = join(venv, 'ready')

/** Python versions that every pinned package has a wheel for. */
const candidates = ['python3.11', 'python3.12', 'python3.13', 'python3.10', 'python3']

async function setup(): Promise<void> {
  mkdirSync(folder, { recursive: true })
  const recipe = await recipeHash()
  await locked(
    join(folder, 'lock'),
    (holder) => console.log(`waiting for another set-up (process ${holder})`),
    async () => {
      if (existsSync(marker) && readFileSync(marker, 'utf8') === recipe) return addParts()
      for (const tool of ['gcc', 'nm', 'readelf']) {
        if (Bun.which(tool) === null) throw new Error(`${tool} is missing: apt-get install -y gcc binutils libc6-dev`)
      }
      // A venv that another recipe made is not mended but replaced.
      const begun = join(venv, 'recipe')
      if (existsSync(venv) && (!existsSync(begun) || readFileSync(begun, 'utf8') !== recipe)) rmSync(venv, { recursive: true, force: true })
      if (!existsSync(begun)) {
        console.log(`SGLang on CPU: about 3.5 GB in ${folder}, a few minutes`)
        run([basePython(), '-m', 'venv', venv])
        writeFileSync(begun, recipe)
      }
      console.log('installing the pinned packages')
      installList('requirements.txt')
      const site = sitePackages()
      console.log(`stand-ins for ${slimTorch(site).length} NVIDIA libraries`)
      // Compilers for GPU code (370 MB) that nothing runs here.
      for (const unused of ['triton/backends/nvidia/lib', 'triton/_C/libproton.so'])
        rmSync(join(site, unused), { recursive: true, force: true })
      mkdirSync(join(site, 'triton/backends/nvidia/lib'), { recursive: true })
      cpSync(join(here, 'stub/sgl_kernel'), join(site, 'sgl_kernel'), { recursive: true })
      const check =
        'import torch, sglang, sgl_kernel, sglang.srt.entrypoints.engine; print("SGLang", sglang.__version__, "on torch", torch.__version__)'
      console.log(run([python, '-W', 'ignore', '-c', check], 'pipe').trim().split('\n').at(-1))
      writeFileSync(marker, recipe)
      addParts()
    },
  )
}

/** Parts that came after the venv: each a step of its own, so that an older venv gets it in a minute. */
function addParts(): void {
  addPart('nixl', 'NIXL', ['requirements-nixl.txt'], (site) => {
    nixlOnHostMemory(site)
    run([python, '-c', 'import nixl'])
  })
  addPart('onnx', 'ONNX, for vision towers', ['requirements-onnx.txt'], () => run([python, '-c', 'import onnx']))
  addPart('clips', 'torchcodec, for clips', ['requirements-clips.txt'], () => {})
  addPart('diffusion', "SGLang's diffusion engine", ['requirements-diffusion.txt', 'stub/sgl_kernel/diffusion.py'], addDiffusion)
}

/** Installs the first of `files`, a list of packages, and finishes by `finish`, unless the venv has the part as these files say. */
function addPart(name: string, title: string, files: string[], finish: (sitePackages: string) => void): void {
  const wanted = files.map((file) => readFileSync(join(here, file), 'utf8')).join('')
  const added = join(venv, name)
  if (existsSync(added) && readFileSync(added, 'utf8') === wanted) return
  console.log(`adding ${title}`)
  installList(files[0]!)
  finish(sitePackages())
  writeFileSync(added, wanted)
}

/** The stand-in for SGLang's kernels gets two more, which the first set-up of a venv did not have. */
function addDiffusion(site: string): void {
  cpSync(join(here, 'stub/sgl_kernel/diffusion.py'), join(site, 'sgl_kernel/diffusion.py'))
  const init = join(site, 'sgl_kernel/__init__.py')
  const line = 'from . import diffusion  # noqa: E402, F401\n'
  const text = readFileSync(init, 'utf8')
  if (!text.includes(line)) {
    // A new file: the old one may have other names.
    rmSync(init)
    writeFileSync(init, `${text}\n${line}`)
  }
  run([python, '-W', 'ignore', '-c', 'import sgl_kernel, sglang.multimodal_gen.runtime.entrypoints.diffusion_generator'])
}

/** Installs the packages of one of the lists beside this file, and nothing that they ask for. */
function installList(list: string): void {
  install(python, ['--no-deps', '-r', join(here, list)])
}

function sitePackages(): string {
  return run([python, '-c', "import sysconfig; print(sysconfig.get_path('purelib'))"], 'pipe').trim()
}

/** Raise it when a step of this file changes what the venv holds. */
const recipeVersion = 1

/** Changes with anything that decides what the venv holds; not with this file's messages. */
async function recipeHash(): Promise<string> {
  const hash = new Bun.CryptoHasher('sha256').update(`${recipeVersion}`)
  for (const file of ['slim.ts', 'requirements.txt', 'stub/sgl_kernel/__init__.py']) hash.update(await Bun.file(join(here, file)).bytes())
  return hash.digest('hex')
}

/** A Python 3.10 to 3.13 that can make a venv; DYN_SETUP_PYTHON names one. */
function basePython(): string {
  const given = process.env.DYN_SETUP_PYTHON
  for (const name of given ? [given] : candidates) {
    if (Bun.which(name) === null) continue
    const test = Bun.spawnSync([name, '-c', 'import sys, venv, ensurepip; print(sys.version_info[1])'], { stderr: 'ignore' })
    const minor = Number(test.stdout.toString())
    if (test.success && minor >= 10 && minor <= 13) return name
  }
  throw new Error('no Python 3.10 to 3.13 with venv: apt-get install -y python3 python3-venv, or name one with DYN_SETUP_PYTHON')
}

function run(command: string[], stdout: 'inherit' | 'pipe' = 'inherit'): string {
  const result = Bun.spawnSync(command, {
    stdin: 'ignore',
    stdout,
    stderr: 'inherit',
    env: { ...process.env, SGLANG_USE_CPU_ENGINE: '1', PYTHONNOUSERSITE: '1' },
  })
  if (!result.success) throw new Error(`${command.join(' ')} ended with code ${result.exitCode}`)
  return result.stdout?.toString() ?? ''
}

try {
  await setup()
  console.log(`
SGLang for the CPU is ready: ${python}
The tests find it by themselves. To serve the fixture model with it:

  SGLANG_USE_CPU_ENGINE=1 dist/dynamo-sglang serve --python ${python} --model-path models/tiny-llm \\
    --device cpu --attention-backend torch_native --mem-fraction-static 0.3 --max-total-tokens 4096 --context-length 2048`)
} catch (thrown) {
  console.error(`sglang:setup failed: ${(thrown as Error).message}`)
  process.exit(1)
}
