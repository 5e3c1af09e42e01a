// `example` lists the setups, `example NAME --print` shows one, `example NAME [flags]` runs its processes in this terminal; Ctrl-C ends them all.
import type { Environment } from '../deployment/environment.ts'
import { examples } from './examples.ts'
import { fit } from './fit.ts'
import { runAll } from './run-all.ts'
import { script } from './script.ts'

const usage = `dynamo-sglang example: ready-made setups

Usage: dynamo-sglang example                      list them
       dynamo-sglang example NAME --print         print the commands
       dynamo-sglang example NAME [more flags]    run them; each flag goes to the processes that know it and wins over the example's
       dynamo-sglang example NAME --mock          the same setup without GPUs and SGLang: mock engines, a small model, made-up text
`

/** Resolves with the exit code: of the first process that ended badly, else 0. */
export async function runExample(argv: string[], env: Environment): Promise<number> {
  const [given, ...flags] = argv
  if (given === '--help') return print(usage)
  if (given === undefined) return print(listing())
  const name = given.replace(/^.*\//, '').replace(/\.sh$/, '')
  const example = examples.find((one) => one.name === name)
  if (!example) {
    const known = examples.map((one) => one.name).join(', ')
    process.stderr.write(`dynamo-sglang: there is no example '${name}'; this version has: ${known}\n`)
    return 2
  }
  if (example.file !== undefined) return print(example.file)
  const fitted = fit(
    example,
    flags.filter((flag) => flag !== '--print'),
  )
  process.stdout.write(script(fitted))
  return flags.includes('--print') ? 0 : runAll(fitted.processes, env)
}

function print(text: string): number {
  process.stdout.write(text)
  return 0
}

function listing(): string {
  const width = Math.max(...examples.map((one) => one.name.length)) + 2
  return `${examples.map((one) => `${one.name.padEnd(width)}${one.about}`).join('\n')}\n`
}
