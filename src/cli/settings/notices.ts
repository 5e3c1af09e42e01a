// What a user is told at start about settings that do not do what they may expect.
import { closest } from './closest.ts'
import { type Given, spellings } from './read-settings.ts'
import { type Command, type Group, nameOf, type Setting } from './setting.ts'
import { type Settings, table, type Values } from './settings.ts'

/** Groups that only a frontend acts on. */
const frontends: ReadonlySet<Group> = new Set<Group>(['routing', 'admission', 'disaggregation'])

/** SGLang's, though they look like a mistyped one of ours. */
const engines: ReadonlySet<string> = new Set(['--tp-size', '--pp-size', '--ep-size'])

interface Facts {
  given: Given
  /** Names that stand on the command line. */
  written: ReadonlySet<string>
  draft: Values
  engine: Settings['engine']
  engineArgs: readonly string[]
  command: Command
}

/** In the order of the table, then what SGLang gets. */
export function noticesFor({ given, written, draft, engine, engineArgs, command }: Facts): string[] {
  const notices: string[] = []
  for (const [name, setting] of Object.entries(table) as [keyof Values, Setting][]) {
    if (!given.has(name)) continue
    const said = `${nameOf(setting)}${setting.kind === 'flag' ? '' : ` ${draft[name]}`}`
    if (setting.deprecated !== undefined && draft[name] !== setting.default) notices.push(`${said} is deprecated: ${setting.deprecated}`)
    if (setting.state === 'ignored') notices.push(`${said}: accepted, but it has no effect here: ${setting.ignored}`)
    if (setting.state === 'reserved' && draft[name] !== setting.default)
      notices.push(`${said}: accepted, but not yet in effect in this version`)
    // Only what stands on the worker's own command line: variables may be meant for the frontend beside it.
    if (command === 'worker' && !setting.state && written.has(name) && frontends.has(setting.group))
      notices.push(`${said}: the frontend routes, so it goes there; a worker has no use for it`)
  }
  if (command === 'frontend' && written.has('migrationLimit'))
    notices.push(`--migration-limit ${draft.migrationLimit}: each worker brings its own; set it there`)
  const known = spellings(table)
  const flags = engineArgs.filter((word) => word.startsWith('--')).map((word) => word.split('=')[0]!)
  for (const flag of new Set(flags)) {
    if (known.has(flag)) continue
    if (flag === '--port') notices.push('--port goes to SGLang; the port of the OpenAI API is --http-port')
    if (flag === '--chat-template') notices.push('--chat-template goes to SGLang, which renders nothing here; use --custom-jinja-template')
    const near = engines.has(flag) ? undefined : closest(flag, known.keys())
    if (near !== undefined) notices.push(`${flag} is not ours and goes to SGLang; did you mean ${near}?`)
    const parser = flag === '--tool-call-parser' || flag === '--reasoning-parser'
    if (parser)
      notices.push(
        `${flag} has no effect yet: answers come as plain text; tool calls are parsed for tool_choice "required" or a named function`,
      )
    if (engine !== 'sglang') notices.push(`${flag} has no effect with --engine ${engine}`)
  }
  return notices
}
