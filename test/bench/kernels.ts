// What kernels cost on this machine: each at sizes that occur, on the CPU and on WebGPU (kernel alone, copies, whole), and which way `auto` takes.
// `bun run bench kernels [--save] [--out FILE] [--kernel NAME]`; `--save` writes into test/bench/results, under the date. A GPU is found as everywhere:
// libvulkan1, and VK_DRIVER_FILES where its icd file is not in a usual place. For a machine that has only the executable:
// `bun test/bench/kernels.ts --bundle FOLDER`, then there, in that folder, `BUN_BE_BUN=1 dynamo-sglang kernels.js --out FILE`.
import { writeFileSync } from 'node:fs'
import { cpus, loadavg, release } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Call, configureKernels, kernelReport, perform, trialsOver } from '../../kernels/perform.ts'
import { dependencies, version } from '../../package.json'
import { deviceState, openDevice } from '../../src/gpu/device.ts'
import { fits, type RunResult, run } from '../../src/gpu/run.ts'
import { type BenchCase, benchCases } from './kernels/cases.ts'

const { values: options } = parseArgs({
  options: { save: { type: 'boolean' }, out: { type: 'string' }, kernel: { type: 'string' }, bundle: { type: 'string' } },
})

interface Row {
  kernel: string
  size: string
  MB: number
  /** Least CPU milliseconds (of WebGPU: medians of the clock); the twin only where it is not too slow. */
  plainMs?: number
  /** With typed arrays, where `cpuMs` is of WebAssembly. */
  typedMs?: number
  cpuMs: number
  cpuGBs: number
  gpuMs?: number
  uploadMs?: number
  kernelMs?: number
  kernelGBs?: number
  /** Kernel and read-back. */
  backMs?: number
  /** Most that a byte differs from the twin's, or where that is too slow from the CPU's. */
  cpuDiffers: number | null
  gpuDiffers?: number
  auto: string
}

async function bench(): Promise<void> {
  const started = { date: new Date().toISOString(), ...about(), loadBefore: round(loadavg()[0]!) }
  const gpu = await openDevice()
  const rows: Row[] = []
  for (const one of benchCases()) {
    if (options.kernel !== undefined && one.kernel !== options.kernel) continue
    rows.push(await measure(one))
  }
  console.log(`device: ${gpu?.name ?? JSON.stringify(deviceState())}`)
  console.table(rows)
  const result = { ...started, device: deviceState(), rows }
  const machine = gpu === undefined || gpu.software ? 'cpu' : gpu.name.replaceAll(/\W+/g, '-')
  const saved = join(import.meta.dir, 'results', `${machine}-${started.date.slice(0, 10)}-kernels.json`)
  for (const path of [options.save ? saved : undefined, options.out]) {
    if (path !== undefined) writeFileSync(path, `${JSON.stringify(result, null, 2)}\n`)
  }
  process.exit(0)
}

async function measure({ kernel, size, call, plain, typed }: BenchCase): Promise<Row> {
  const { bytes } = call()
  const cpu = least(await times(() => onCpu(call())))
  const expected = plain === undefined ? undefined : plain()
  const fromCpu = onCpu(call())
  const row: Row = {
    kernel,
    size,
    MB: round(bytes / 1e6, 2),
    ...(plain === undefined ? {} : { plainMs: round(least(await times(plain, 3, 0))) }),
    ...(typed === undefined ? {} : { typedMs: round(least(await times(typed))) }),
    cpuMs: round(cpu),
    cpuGBs: round(bytes / 1e6 / cpu, 2),
    cpuDiffers: expected === undefined ? null : most(fromCpu, expected),
    auto: '',
  }
  const gpu = await openDevice()
  const passes = call().gpu.passes()
  // SwiftShader takes seconds for large pictures, and its time says nothing.
  const rounds = gpu?.software ? 2 : 8
  if (gpu !== undefined && fits(passes) && (!gpu.software || bytes < 5e6)) {
    const one = call()
    const runs: (RunResult & { ms: number })[] = []
    for (let i = 0; i < rounds; i++) {
      const started = performance.now()
      const done = await run(gpu, passes, gpu.timestamps)
      // The first makes the pipeline and the buffers.
      if (i > 0) runs.push({ ...done, ms: performance.now() - started })
    }
    const part = (name: 'ms' | 'uploadMs' | 'backMs' | 'deviceMs') => middle(runs.map((each) => each[name] ?? Number.NaN))
    Object.assign(row, {
      gpuMs: round(part('ms')),
      uploadMs: round(part('uploadMs')),
      kernelMs: round(part('deviceMs'), 3),
      kernelGBs: round(bytes / 1e6 / part('deviceMs'), 1),
      backMs: round(part('backMs')),
      gpuDiffers: most(one.gpu.result(runs[0]!.bytes), expected ?? fromCpu),
    })
  }
  return { ...row, auto: await choice(call) }
}

/** What `auto` does after some calls. */
async function choice(call: () => Call<Uint8Array>): Promise<string> {
  configureKernels({ mode: 'auto' })
  for (let i = 0; i < 4; i++) {
    await perform(call())
    await trialsOver()
  }
  return (await kernelReport()).costs[0]!.chosen
}

function onCpu({ cpu }: Call<Uint8Array>): Uint8Array {
  cpu.step(0, cpu.units)
  return cpu.result()
}

/** CPU milliseconds of each of `rounds`, which take `leastMs` or more; no third one is begun after three seconds. */
async function times(work: () => unknown, rounds = 9, leastMs = 400): Promise<number[]> {
  const all: number[] = []
  const begun = performance.now()
  const past = () => performance.now() - begun
  for (let i = 0; (i < rounds || past() < leastMs) && (i < 2 || past() < 3000); i++) {
    const before = process.cpuUsage()
    work()
    const { user, system } = process.cpuUsage(before)
    all.push((user + system) / 1000)
    await Bun.sleep(0)
  }
  // The first half is compiled meanwhile.
  return all.slice(all.length >> 1)
}

function most(a: Uint8Array, b: Uint8Array): number {
  return a.reduce((so, value, i) => Math.max(so, Math.abs(value - b[i]!)), a.length === b.length ? 0 : 255)
}

/** What else runs on the machine only adds. */
const least = (list: readonly number[]): number => Math.min(...list)
const middle = (list: readonly number[]): number => [...list].sort((a, b) => a - b)[list.length >> 1]!
const round = (value: number, digits = 2): number => Number(value.toFixed(digits))

/** What a reader needs to measure it again. */
function about() {
  // A packed bench has no repository.
  const command = ['git', 'rev-parse', '--short', 'HEAD']
  const git = Bun.which('git') === null ? undefined : Bun.spawnSync(command, { cwd: import.meta.dir, stderr: 'ignore' })
  return {
    what: 'Least CPU milliseconds of warm rounds, one thread: cpuMs as the product runs it, typedMs typed arrays where that is WebAssembly, plainMs the twin',
    command: [import.meta.path.endsWith('.js') ? 'kernels.js' : 'bun run bench kernels', ...process.argv.slice(2)].join(' '),
    commit: git?.success ? git.stdout.toString().trim() : null,
    versions: { 'dynamo-sglang': version, bun: Bun.version, 'bun-webgpu': dependencies['bun-webgpu'] },
    machine: `${cpus().length} x ${cpus()[0]?.model}, Linux ${release()}`,
  }
}

async function bundle(outdir: string): Promise<void> {
  const { nativePlugin } = await import('../../src/build/native-plugin.ts')
  const root = join(import.meta.dir, '../..')
  const { success, logs } = await Bun.build({
    entrypoints: [import.meta.path],
    target: 'bun',
    outdir,
    // bun-webgpu names its library's package by these.
    define: { 'process.platform': '"linux"', 'process.arch': '"x64"' },
    external: ['../../src/build/native-plugin.ts'],
    plugins: [nativePlugin(root, join(root, '.native-cache'))],
    throw: false,
  })
  if (!success) throw new Error(logs.map(String).join('\n'))
}

if (options.bundle !== undefined) await bundle(options.bundle)
else await bench()
