// An example as shell commands that can be pasted.
import type { Example } from './setup.ts'

export function script({ about, processes, request }: Example): string {
  const commands = processes.map(({ args, env }) => {
    const variables = Object.entries(env ?? {}).map(([name, value]) => `${name}=${quote(value)}`)
    return [...variables, 'dynamo-sglang', ...args.map(quote)].join(' ')
  })
  const together = commands.map((line, i) => (i < commands.length - 1 ? `${line} &` : line))
  return `# ${about}\n${together.join('\n')}\n${request === undefined ? '' : `\n# then, in another terminal:\n${request}\n`}`
}

const quote = (word: string): string => (/^[\w./:=@,+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)
