// `doctor [serve flags]`: looks at this machine and says, line by line, what is well and what to do about the rest.
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { toAppError } from '../../lib/errors.ts'
import { log } from '../../lib/log.ts'
import { cacheRoots } from '../../lib/native.ts'
import { discoveryOptions, etcdOptions, natsOptions } from '../deployment/discovery-options.ts'
import { diffusionEngineOptions, mediaOptions } from '../deployment/media-options.ts'
import { parseSettings } from '../settings/parse-settings.ts'
import { invalid } from '../settings/rules.ts'
import type { Setting } from '../settings/setting.ts'
import { type Settings, table } from '../settings/settings.ts'
import { type Finding, render } from './finding.ts'
import {
  checkCache,
  checkGpu,
  checkLimits,
  checkModel,
  checkPort,
  checkProcesses,
  checkPython,
  checkShm,
  sglangProcesses,
} from './machine.ts'
import type { FoundEncoders } from './media.ts'
import { checkBootstrap, checkDiscovery, checkNats } from './peers.ts'

const usage = `dynamo-sglang doctor: check this machine and say what to do

Usage: dynamo-sglang doctor [the flags you would give to serve, or to a worker]
       dynamo-sglang doctor --bootstrap HOST:PORT    also: can the bootstrap server of that prefill worker be reached from here?
The services that the flags and variables name (etcd, NATS, a folder) are asked, and who is found there is counted.
Exit code 1 when something is certain to fail.
`

const probe = `
import importlib.metadata as m, sys
def v(name):
    try: return m.version(name)
    except m.PackageNotFoundError: return '-'
print(sys.version.split()[0], v('sglang'), v('diffusers'))`

/** Prints the findings; resolves with 1 when one of them is a failure. */
export async function runDoctor(argv: string[]): Promise<number> {
  if (argv.includes('--help')) {
    process.stdout.write(usage)
    return 0
  }
  const { bootstrap, rest } = takeBootstrap(argv)
  const settings = settingsOf(rest)
  // What is found goes to the terminal as findings, not as log lines.
  log.level = 'silent'
  const smi = output(['nvidia-smi', '--query-gpu=name,memory.total,memory.used,driver_version', '--format=csv,noheader,nounits'])
  const python = checkPython(settings.python, output([settings.python, '-c', probe]), settings.makes)
  const findings: Finding[] = [
    checkGpu(smi, undefined, process.env.CUDA_VISIBLE_DEVICES),
    // Without SGLang the other engines still work, so it only counts as a failure for the one that needs it.
    settings.engine === 'sglang' || python.level === 'ok' ? python : { ...python, level: 'warn' },
    checkShm(),
    ...checkLimits(readFileSync('/proc/self/limits', 'utf8')),
    ...checkPorts(settings),
    ...(await checkModels(settings)),
    checkCache(cacheRoots({ ...process.env, ...(settings.cacheDir === undefined ? {} : { DYN_CACHE_DIR: settings.cacheDir }) })),
    checkProcesses(sglangProcesses()),
    ...(await checkMedia(settings)),
    ...(await checkPeers(settings, bootstrap)),
  ]
  process.stdout.write(render(findings))
  return findings.some((finding) => finding.level === 'fail') ? 1 : 0
}

/** What `serve` would be told; a worker's flags that serve refuses are read as the worker's. */
function settingsOf(argv: readonly string[]): Settings {
  try {
    return parseSettings(argv, process.env, 'serve')
  } catch (refused) {
    try {
      return parseSettings(argv, process.env, 'worker')
    } catch (refusedToo) {
      // Of a worker's command line, what the worker would be told.
      throw workersOnly.has(toAppError(refused).param ?? '') ? refusedToo : refused
    }
  }
}

/** Flags that `serve` refuses because they are a worker's. */
const workersOnly: ReadonlySet<string> = new Set([
  ...Object.values<Setting>(table).flatMap(({ flags, commands }) => (commands?.includes('serve') === false ? flags : [])),
  ...['--multimodal-encode-worker', '--disaggregation-mode'],
])

/** `--bootstrap HOST:PORT` is the doctor's own flag. */
function takeBootstrap(argv: readonly string[]): { bootstrap: string | undefined; rest: string[] } {
  const at = argv.findIndex((word) => /^--bootstrap(=|$)/.test(word))
  if (at === -1) return { bootstrap: undefined, rest: [...argv] }
  const glued = argv[at]!.includes('=')
  const bootstrap = glued ? argv[at]!.slice('--bootstrap='.length) : argv[at + 1]
  if (bootstrap === undefined || !/^.+:\d+$/.test(bootstrap))
    throw invalid('--bootstrap', '--bootstrap needs HOST:PORT of a prefill worker')
  return { bootstrap, rest: argv.toSpliced(at, glued ? 1 : 2) }
}

function checkPorts({ httpHost, httpPort, reusePort, systemHost, systemPort, rpcPort, eventPort, planeBind }: Settings): Finding[] {
  const bind = planeBind ?? '0.0.0.0'
  const fixed = (host: string, port: number | undefined, flag: string) => (port ? [checkPort(host, port, flag)] : [])
  return [
    checkPort(httpHost, httpPort, '--http-port', reusePort),
    ...fixed(systemHost, systemPort, '--system-port'),
    ...fixed(bind, rpcPort, '--tcp-rpc-port'),
    ...fixed(bind, eventPort, '--event-plane-port'),
  ]
}

async function checkModels({ modelPath, hfHome, makes, engine, engineArgs }: Settings): Promise<Finding[]> {
  if (modelPath === undefined) return []
  if (makes === undefined || !existsSync(modelPath)) return [checkModel(modelPath, hfHome ?? join(homedir(), '.cache/huggingface'))]
  const { checkMediaModel } = await import('./media.ts')
  return [await checkMediaModel(modelPath, makes, engine, engineArgs)]
}

/** Loaded here: the codecs and WebGPU are not small. */
async function checkMedia(settings: Settings): Promise<Finding[]> {
  const { mediaFsUrl, gpuKernels, makes } = settings
  const { checkKernels, checkMediaPlace } = await import('./media.ts')
  const { checkVision } = await import('./vision.ts')
  const { configureKernels, kernelReport } = await import('../../../kernels/perform.ts')
  configureKernels({ mode: gpuKernels })
  const [videos, kernels] = await Promise.all([checkFfmpeg(settings), kernelReport(true)])
  const vision = await checkVision(settings, kernels.device.kind === 'ready' ? kernels.device : undefined)
  return [...videos, checkKernels(kernels), ...vision, ...(makes === undefined ? [] : [checkMediaPlace(mediaFsUrl)])]
}

/** What is true of the role that is asked: videos that are made, clips that are read, or both where no role is known. */
async function checkFfmpeg(settings: Settings): Promise<Finding[]> {
  const { videoEncoder, makes, modelPath } = settings
  const { checkEncoders } = await import('./media.ts')
  const { checkClips, checkSounds, readsClips } = await import('./clips.ts')
  const found: Finding[] = []
  const anyRole = makes === undefined && modelPath === undefined && settings.visionRole === undefined && !settings.enableMultimodal
  if (makes === 'video' || anyRole || videoEncoder !== undefined)
    found.push(checkEncoders(await encodersOf(settings), { encoder: videoEncoder, needed: makes === 'video' }))
  if (anyRole || (await readsClips(settings))) found.push(checkClips(settings.ffmpeg))
  return [...found, ...(await checkSounds(settings))]
}

/** What the ffmpeg can do that `serve` would use. */
async function encodersOf(settings: Settings): Promise<FoundEncoders> {
  const [{ probeEncoders }, { findFfmpeg }] = await Promise.all([
    import('../../media/video/probe.ts'),
    import('../../serve/media/find-ffmpeg.ts'),
  ])
  const named = mediaOptions(settings, process.env, '').ffmpeg
  const ffmpeg = await findFfmpeg(named, diffusionEngineOptions(settings, process.env, ''))
  return { ...(await probeEncoders({ ffmpeg, all: true })), brought: ffmpeg !== named }
}

async function checkPeers(settings: Settings, bootstrap: string | undefined): Promise<Finding[]> {
  const { requestPlane, eventPlane, discoveryBackend, namespace } = settings
  const found: Promise<Finding>[] = []
  if (discoveryBackend !== 'static' && discoveryBackend !== 'mem') found.push(checkDiscovery(discoveryOptions(settings), namespace))
  // serve asks etcd only by name, but a frontend or worker with these variables would.
  else if (settings.etcdEndpoints.length > 0) found.push(checkDiscovery({ backend: 'etcd', etcd: etcdOptions(settings) }, namespace))
  if (requestPlane === 'nats' || eventPlane === 'nats') found.push(checkNats(natsOptions(settings)))
  if (bootstrap !== undefined) found.push(checkBootstrap(bootstrap))
  return Promise.all(found)
}

/** stdout of a program, or undefined when it is missing, fails or takes longer than 20 s. */
function output(command: string[]): string | undefined {
  try {
    const result = Bun.spawnSync(command, { stdin: 'ignore', stderr: 'ignore', timeout: 20_000 })
    return result.success ? result.stdout.toString() : undefined
  } catch {
    return undefined
  }
}
