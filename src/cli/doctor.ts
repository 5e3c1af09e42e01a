// `doctor [serve flags]`: looks at this machine and says, line by line, what is well and what to do about the rest.
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { cacheRoots } from '../lib/native.ts'
import {
  checkCache,
  checkGpu,
  checkLimits,
  checkModel,
  checkPort,
  checkProcesses,
  checkPython,
  checkShm,
  type Finding,
  sglangProcesses,
} from './doctor-checks.ts'
import { parseSettings } from './settings/parse-settings.ts'

const usage = `dynamo-sglang doctor: check this machine and say what to do

Usage: dynamo-sglang doctor [the flags you would give to serve]
Exit code 1 when something is certain to fail.
`

const probe = `
import importlib.metadata as m, sys
try: v = m.version('sglang')
except m.PackageNotFoundError: v = '-'
print(sys.version.split()[0], v)`

/** Prints the findings; resolves with 1 when one of them is a failure. */
export async function runDoctor(argv: string[]): Promise<number> {
  if (argv.includes('--help')) {
    process.stdout.write(usage)
    return 0
  }
  const settings = parseSettings(argv, process.env, 'serve')
  const smi = output(['nvidia-smi', '--query-gpu=name,memory.total,memory.used,driver_version', '--format=csv,noheader,nounits'])
  const python = checkPython(settings.python, output([settings.python, '-c', probe]))
  const findings: Finding[] = [
    checkGpu(smi, undefined, process.env.CUDA_VISIBLE_DEVICES),
    // Without SGLang the other engines still work, so it only counts as a failure for the one that needs it.
    settings.engine === 'sglang' || python.level === 'ok' ? python : { ...python, level: 'warn' },
    checkShm(),
    ...checkLimits(readFileSync('/proc/self/limits', 'utf8')),
    checkPort(settings.httpHost, settings.httpPort),
    ...(settings.modelPath === undefined ? [] : [checkModel(settings.modelPath, settings.hfHome ?? join(homedir(), '.cache/huggingface'))]),
    checkCache(cacheRoots({ ...process.env, ...(settings.cacheDir === undefined ? {} : { DYN_CACHE_DIR: settings.cacheDir }) })),
    checkProcesses(sglangProcesses()),
  ]
  process.stdout.write(render(findings))
  return findings.some((finding) => finding.level === 'fail') ? 1 : 0
}

/** One line a finding, the advice under it. */
export function render(findings: readonly Finding[]): string {
  return findings
    .map(({ level, what, advice }) => `${level.padEnd(5)}${what}\n${advice === undefined ? '' : `     → ${advice}\n`}`)
    .join('')
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
