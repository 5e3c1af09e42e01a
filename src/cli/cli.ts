// The command table, exit codes (0 done, 1 failed, 2 wrong usage) and the one place where a failure becomes a line on the terminal.
// Commands are imported when they run, so that `version` does not wait for the server's modules.
import type { Command as SettingsCommand } from './settings/setting.ts'
import type { Settings } from './settings/settings.ts'

interface Command {
  name: string
  summary: string
  /** Set for the commands whose flags are the table of settings. */
  settings?: SettingsCommand
  run(argv: string[]): Promise<number>
}

export const commands: readonly Command[] = [
  {
    name: 'serve',
    summary: 'OpenAI API, engine and all on this machine',
    settings: 'serve',
    run: async (argv) => {
      const { parseSettings } = await import('./settings/parse-settings.ts')
      const settings = parseSettings(argv, process.env, 'serve')
      if (settings.engine === 'mock' && settings.modelPath === undefined) await useFixture(settings)
      return (await import('./serve.ts')).serve(settings, process.env)
    },
  },
  { name: 'frontend', summary: 'HTTP and router only', settings: 'frontend', run: (argv) => apart('frontend', argv) },
  { name: 'worker', summary: 'an engine that other frontends use', settings: 'worker', run: (argv) => apart('worker', argv) },
  { name: 'bench', summary: 'load test of any OpenAI server', run: async (argv) => (await import('./bench.ts')).runBench(argv) },
  {
    name: 'example',
    summary: 'list, print or run ready-made setups',
    run: async (argv) => (await import('./example.ts')).runExample(argv),
  },
  { name: 'doctor', summary: 'check this machine and say what to do', run: async (argv) => (await import('./doctor.ts')).runDoctor(argv) },
  { name: 'version', summary: 'print the version', run: async () => (await import('./version.ts')).printVersion() },
  { name: 'help', summary: 'this text, or a command and its flags', run: help },
]

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
  throw new UsageError(`there is no command '${name}'; the commands are: ${commands.map((one) => one.name).join(', ')}`)
}

/** A command line that cannot be understood: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
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
  else process.stdout.write(overview(commands))
  return 0
}

async function useFixture(settings: Settings): Promise<void> {
  const { fixtureModel } = await import('./fixture-model.ts')
  const { cacheRoots } = await import('../lib/native.ts')
  settings.modelPath = fixtureModel(cacheRoots({ ...process.env, ...(settings.cacheDir && { DYN_CACHE_DIR: settings.cacheDir }) }))
  if (settings.servedModelName.length === 0) settings.servedModelName = ['tiny-llm']
}

async function apart(name: 'frontend' | 'worker', argv: string[]): Promise<number> {
  const { parseSettings } = await import('./settings/parse-settings.ts')
  parseSettings(argv, process.env, name)
  process.stderr.write(
    `dynamo-sglang: '${name}' as a process of its own is not in this version yet. ` +
      `It will be the ${name === 'frontend' ? 'HTTP and router' : 'engine'} half of 'serve', for setups over several machines.\n` +
      `What to do: run 'dynamo-sglang serve' with the same flags; it is both halves in one process.\n`,
  )
  return 2
}
