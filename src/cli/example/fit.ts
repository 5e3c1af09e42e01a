// An example with the user's own flags: each goes to the processes that know it; --mock takes away what only GPUs and SGLang have.

import { spellings } from '../settings/read-settings.ts'
import { invalid } from '../settings/rules.ts'
import type { Command } from '../settings/setting.ts'
import { table } from '../settings/settings.ts'
import type { Example, ExampleProcess } from './setup.ts'

/** A flag with its values, as they were written. */
interface Words {
  flag: string
  words: string[]
}

/** Throws AppError `invalid_setting` for a flag that no process of the example takes, and for a value that an option of it does not take. */
export function fit(plain: Example, flags: readonly string[]): Example {
  const { example, more } = withOptions(plain, group(flags.filter((flag) => flag !== '--mock')))
  const mock = flags.includes('--mock') || engineOf(more) === 'mock'
  for (const { flag } of more) {
    if (example.processes.some((one) => takes(commandOf(one), flag))) continue
    throw invalid(
      flag,
      `no process of the example '${example.name}' takes ${flag}; it runs: ${example.processes.map(commandOf).join(', ')}`,
    )
  }
  const processes = example.processes.map((one) => {
    const own = more.filter(({ flag }) => takes(commandOf(one), flag)).flatMap(({ words }) => words)
    const base = mock ? mocked(one) : one
    return { ...base, args: [...base.args, ...own] }
  })
  return {
    ...example,
    processes,
    ...(example.request === undefined
      ? {}
      : { request: example.request.replaceAll('localhost:8000', `localhost:${portOf(more, processes)}`) }),
  }
}

/** The example as its own options make it, and the flags that are not among them. */
function withOptions(example: Example, given: readonly Words[]): { example: Example; more: Words[] } {
  const { options = {}, made } = example
  if (made === undefined) return { example, more: [...given] }
  const flags = new Map(Object.entries(options).flatMap(([flag, { also = [] }]) => [flag, ...also].map((one) => [one, flag] as const)))
  const own = given.filter((one) => flags.has(one.flag)).map((one) => ({ ...one, flag: flags.get(one.flag)! }))
  const values = Object.entries(options).map(([flag, option]) => {
    const value = lastValue(own, flag) ?? option.value
    const good = option.values?.includes(value) ?? (option.number !== true || /^[1-9]\d*$/.test(value))
    if (good) return [flag, value] as const
    throw invalid(
      flag,
      `${flag} must be ${option.values === undefined ? 'a whole number' : `one of: ${option.values.join(', ')}`}, not '${value}'`,
    )
  })
  return { example: { ...example, ...made(Object.fromEntries(values)) }, more: given.filter(({ flag }) => !flags.has(flag)) }
}

/** The same process with a mock engine, under the name that the example's requests use. */
function mocked({ args, env, ...rest }: ExampleProcess): ExampleProcess {
  const [command, ...words] = args as [Command, ...string[]]
  if (command === 'frontend' || engineOf(group(words)) === 'mock') return { ...rest, args, ...(env && { env }) }
  const kept = group(words).flatMap(({ flag, words }) => {
    if (flag === '--model-path') return ['--served-model-name', ...words.slice(1)]
    return spellings(table).has(flag) ? words : []
  })
  const { CUDA_VISIBLE_DEVICES, SGLANG_EXPERT_DISTRIBUTION_RECORDER_DIR, ...ours } = env ?? {}
  return { ...rest, args: [command, '--engine', 'mock', ...kept], env: ours }
}

const commandOf = ({ args }: ExampleProcess): Command => args[0] as Command

/** Flags of SGLang, which we do not know, belong to the processes that have an engine. */
function takes(command: Command, flag: string): boolean {
  const known = spellings(table).get(flag)
  return known === undefined ? command !== 'frontend' : (known.setting.commands?.includes(command) ?? true)
}

function group(words: readonly string[]): Words[] {
  const groups: Words[] = []
  for (const word of words) {
    if (word.startsWith('-') || groups.length === 0) groups.push({ flag: word.split('=')[0]!, words: [word] })
    else groups.at(-1)!.words.push(word)
  }
  return groups
}

/** The value of the last of these flags that is given. */
function lastValue(groups: readonly Words[], flag: string): string | undefined {
  const last = groups.findLast((one) => one.flag === flag)
  return last && (last.words[0]!.split('=')[1] ?? last.words[1])
}

const engineOf = (groups: readonly Words[]) => lastValue(groups, '--engine')
/** The user's, else the one that the example itself gives a process. */
function portOf(more: readonly Words[], processes: readonly ExampleProcess[]): string {
  return lastValue(more, '--http-port') ?? processes.map(({ args }) => lastValue(group(args), '--http-port')).find(Boolean) ?? '8000'
}
