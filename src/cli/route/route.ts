// `dynamo-sglang route`: asks a running server where a prompt would go now, and shows every candidate's score. Nothing is booked or generated.
import { Command, Option } from 'commander'
import { AppError } from '../../lib/errors.ts'
import type { Decision } from '../../router/router.ts'
import { decisionTable } from './table.ts'

interface RouteOptions {
  url: string
  model?: string
  prompt: string
  chat: boolean
  session?: string
  json: boolean
}

/** Resolves with the exit code: 1 when no worker could take the prompt. Throws AppError for a wrong flag, or a server that does not answer. */
export async function runRoute(argv: readonly string[]): Promise<number> {
  const options = parse(argv)
  if (options === undefined) return 0
  const decision = await ask(options)
  process.stdout.write(options.json ? `${JSON.stringify(decision, null, 2)}\n` : decisionTable(decision))
  return decision.chosen === null ? 1 : 0
}

/** undefined: help was asked for and printed. */
function parse(argv: readonly string[]): RouteOptions | undefined {
  const command = new Command('dynamo-sglang route')
    .description('dynamo-sglang route: ask a running server where a prompt would go, and why')
    .requiredOption('--prompt <text>', 'the prompt; @FILE reads it from a file, - from the standard input')
    .option('--url <url>', 'the server (serve or frontend)', 'http://127.0.0.1:8000')
    .option('--model <name>', 'which model; not needed while one is served')
    .option('--chat', 'the prompt is a message of a chat, so the chat template stands around it', false)
    .option('--session <id>', 'as a request of this session (X-Dynamo-Session-ID)')
    .addOption(new Option('--json', 'the whole decision as JSON').default(false))
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
  try {
    command.parse([...argv], { from: 'user' })
  } catch (thrown) {
    const { code, message } = thrown as { code?: string; message: string }
    if (code === 'commander.helpDisplayed') return undefined
    throw new AppError('invalid_setting', { message: message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ') })
  }
  const options = command.opts<RouteOptions>()
  if (!URL.canParse(options.url) || !/^https?:/.test(options.url)) {
    throw new AppError('invalid_setting', { param: '--url', message: `--url must be like http://HOST:PORT, not '${options.url}'` })
  }
  return options
}

async function ask({ url, model, prompt, chat, session }: RouteOptions): Promise<Decision & { model?: string }> {
  const text = await readPrompt(prompt)
  const target = new URL('/debug/route', url)
  let response: Response
  try {
    response = await fetch(target, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(session === undefined ? {} : { 'x-dynamo-session-id': session }) },
      body: JSON.stringify({ ...(model && { model }), ...(chat ? { messages: [{ role: 'user', content: text }] } : { prompt: text }) }),
      signal: AbortSignal.timeout(10_000),
    })
  } catch (cause) {
    throw new AppError('engine_unavailable', {
      message: `${url} does not answer. Is the server running there?`,
      cause,
    })
  }
  const answer = (await response.json().catch(() => undefined)) as (Decision & { error?: { message?: string } }) | undefined
  if (response.ok && Array.isArray(answer?.candidates)) return answer
  const why = answer?.error?.message ?? `it is no dynamo-sglang of this version (${target.pathname} answers ${response.status})`
  throw new AppError(response.status === 400 || response.status === 404 ? 'invalid_setting' : 'engine_unavailable', {
    message: `${url}: ${why}`,
  })
}

async function readPrompt(written: string): Promise<string> {
  if (written === '-') return Bun.stdin.text()
  if (!written.startsWith('@')) return written
  try {
    return await Bun.file(written.slice(1)).text()
  } catch (cause) {
    throw new AppError('invalid_setting', { param: '--prompt', message: `--prompt: cannot read '${written.slice(1)}'`, cause })
  }
}
