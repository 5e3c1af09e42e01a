// The command table, exit codes (0 done, 1 failed, 2 wrong usage) and the one place where a failure becomes a line on the terminal.
// Commands are imported when they run, so that `version` does not wait for the server's modules.
import type { Command as SettingsCommand } from './settings/setting.ts'
import type { Settings } from './settings/settings.ts'
import { UsageError } from './usage-error.ts'

interface Command {
  name: string
  summary: string
  /** Set for the commands whose flags are the table of settings. */
  settings?: SettingsCommand
  /** This program starts it for itself. */
  hidden?: boolean
  run(argv: string[]): Promise<number>
}

export const commands: readonly Command[] = [
  {
    name: 'serve',
    summary: 'OpenAI API, engine and all on this machine',
    settings: 'serve',
    run: async (argv) => {
      const settings = await settingsOf(argv, 'serve')
      return (await import('./serve.ts')).serve(settings, process.env)
    },
  },
  {
    name: 'frontend',
    summary: 'HTTP and router; its engines are workers elsewhere',
    settings: 'frontend',
    run: async (argv) => {
      const settings = await settingsOf(argv, 'frontend')
      return (await import('./frontend.ts')).frontend(settings, process.env)
    },
  },
  {
    name: 'worker',
    summary: 'an engine for the frontends that find it',
    settings: 'worker',
    run: async (argv) => {
      const settings = await settingsOf(argv, 'worker')
      return (await import('./worker.ts')).worker(settings, process.env)
    },
  },
  {
    name: 'route',
    summary: 'ask a running server where a prompt would go, and why',
    run: async (argv) => (await import('./route/route.ts')).runRoute(argv),
  },
  { name: 'bench', summary: 'load test of any OpenAI server', run: async (argv) => (await import('./bench/bench.ts')).runBench(argv) },
  {
    name: 'example',
    summary: 'list, print or run ready-made setups',
    run: async (argv) => (await import('./example/example.ts')).runExample(argv, process.env),
  },
  {
    name: 'doctor',
    summary: 'check this machine and say what to do',
    run: async (argv) => (await import('./doctor/doctor.ts')).runDoctor(argv),
  },
  {
    name: 'preprocess',
    summary: 'what a vision model sees of a picture, as sums to compare',
    run: async (argv) => (await import('./preprocess.ts')).runPreprocess(argv),
  },
  {
    name: 'export-vision',
    summary: "write a model's vision tower for our own encoder",
    run: async (argv) => (await import('./vision/export-vision.ts')).runExportVision(argv, process.env),
  },
  {
    name: 'vision-process',
    summary: 'a vision tower, for the process that started it',
    hidden: true,
    run: async () => (await import('./vision/process.ts')).visionProcess(),
  },
  { name: 'version', summary: 'print the version', run: async () => (await import('./version.ts')).printVersion() },
  { name: 'help', summary: 'this text, or a command and its flags', run: help },
]

const shown = commands.filter((one) => !one.hidden)

/** Runs one command line; resolves with the exit code and never rejects. */
export async function runCli(argv: string[]): Promise<number> {
  try {
    const [name = 'help', ...rest] = argv
    if (name === '--version' || name === '-V') return await find('version').run([])
    if (name === '--help' || name === '-h') return await help([])
    const command = find(name)
    const own = rest.includes('--') ? rest.slice(0, rest.indexOf('--')) : rest
    if (own.includes('--help') || own.includes('-h')) return await help([name])
    if (command.settings && own.includes('--version')) return await find('version').run([])
    return await command.run(rest)
  } catch (thrown) {
    return await (await import('./failure.ts')).report(thrown)
  }
}

function find(name: string): Command {
  const command = commands.find((one) => one.name === name)
  if (command) return command
  throw new UsageError(`there is no command '${name}'; the commands are: ${shown.map((one) => one.name).join(', ')}`)
}

async function help(argv: string[]): Promise<number> {
  const { overview, settingsHelp, settingsTable } = await import('./help.ts')
  if (argv[0] === '--markdown') {
    process.stdout.write(settingsTable())
    return 0
  }
  const command = argv[0] === undefined ? undefined : find(argv[0])
  if (command?.settings) process.stdout.write(settingsHelp(command.settings, command.summary))
  else if (command && command.name !== 'help' && command.name !== 'version') return command.run(['--help'])
  else process.stdout.write(overview(shown))
  return 0
}

/** The command's settings; a mock engine without a model gets the embedded one. */
async function settingsOf(argv: string[], command: SettingsCommand): Promise<Settings> {
  const { parseSettings } = await import('./settings/parse-settings.ts')
  const settings = parseSettings(argv, process.env, command)
  if (command !== 'frontend' && settings.engine === 'mock' && settings.modelPath === undefined) await useFixture(settings)
  return settings
}

async function useFixture(settings: Settings): Promise<void> {
  const { fixtureModel } = await import('./fixture-model.ts')
  const { cacheRoots } = await import('../lib/native.ts')
  const { makes, visionRole, enableMultimodal } = settings
  const sees = enableMultimodal || visionRole === 'encode' || visionRole === 'language'
  const name = makes === 'image' ? 'tiny-FLUX.1-dev' : makes === 'video' ? 'tiny-Wan2.1-T2V-1.3B' : sees ? 'tiny-vl' : 'tiny-llm'
  settings.modelPath = fixtureModel(name, cacheRoots({ ...process.env, ...(settings.cacheDir && { DYN_CACHE_DIR: settings.cacheDir }) }))
  if (settings.servedModelName.length === 0) settings.servedModelName = [name]
}
