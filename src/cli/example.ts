// `example` lists the setups, `example NAME --print` shows one, `example NAME [flags]` runs its processes in this terminal; Ctrl-C ends them all.
import { type Example, examples, notYet } from './examples.ts'
import { selfCommand } from './self.ts'

const usage = `dynamo-sglang example: ready-made setups

Usage: dynamo-sglang example                      list them
       dynamo-sglang example NAME --print         print the commands
       dynamo-sglang example NAME [more flags]    run them; more flags go to every process and win over the example's
`

/** Resolves with the exit code: of the first process that ended badly, else 0. */
export async function runExample(argv: string[]): Promise<number> {
  const [given, ...flags] = argv
  if (given === '--help') return print(usage)
  if (given === undefined) return print(listing())
  const name = given.replace(/^.*\//, '').replace(/\.sh$/, '')
  const example = examples.find((one) => one.name === name)
  if (!example) {
    const known = examples.map((one) => one.name).join(', ')
    const text = notYet.includes(name) ? `the example '${name}' is not in this version yet` : `there is no example '${name}'`
    process.stderr.write(`dynamo-sglang: ${text}; this version has: ${known}\n`)
    return 2
  }
  if (example.file !== undefined) return print(example.file)
  if (flags.includes('--print'))
    return print(
      script(
        example,
        flags.filter((flag) => flag !== '--print'),
      ),
    )
  return runAll(example, flags)
}

function print(text: string): number {
  process.stdout.write(text)
  return 0
}

function listing(): string {
  const width = Math.max(...examples.map((one) => one.name.length)) + 2
  return `${examples.map((one) => `${one.name.padEnd(width)}${one.about}`).join('\n')}\n`
}

/** The example as shell commands. */
export function script(example: Example, flags: readonly string[]): string {
  const commands = example.processes.map(({ args }) => ['dynamo-sglang', ...args, ...flags].map(quote).join(' '))
  const together = commands.map((line, i) => (i < commands.length - 1 ? `${line} &` : line))
  const request = example.request?.replace('localhost:8000', `localhost:${portOf(flags) ?? 8000}`)
  return `# ${example.about}\n${together.join('\n')}\n${request ? `\n# then, in another terminal:\n${request}\n` : ''}`
}

/** What the last --http-port says. */
function portOf(flags: readonly string[]): string | undefined {
  const at = flags.findLastIndex((flag) => /^--http-port(=|$)/.test(flag))
  return at === -1 ? undefined : (flags[at]!.split('=')[1] ?? flags[at + 1])
}

const quote = (word: string): string => (/^[\w./:=@,+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)

async function runAll(example: Example, flags: readonly string[]): Promise<number> {
  process.stdout.write(script(example, flags))
  // Each in its own group: a terminal's Ctrl-C then reaches only us, and every process gets exactly one signal for it.
  const children = example.processes.map(({ args }) =>
    Bun.spawn([...selfCommand(), ...args, ...flags], { stdin: 'ignore', stdout: 'inherit', stderr: 'inherit', detached: true }),
  )
  const forward = (signal: NodeJS.Signals) => {
    for (const child of children) if (child.exitCode === null) child.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal)
  }
  const signals: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']
  for (const signal of signals) process.on(signal, forward)
  try {
    const first = await Promise.race(children.map((child) => child.exited))
    // One process alone is no setup: when the first goes, the others follow.
    forward('SIGTERM')
    const codes = await Promise.all(children.map((child) => child.exited))
    return first !== 0 ? first : (codes.find((code) => code !== 0) ?? 0)
  } finally {
    for (const signal of signals) process.off(signal, forward)
  }
}
