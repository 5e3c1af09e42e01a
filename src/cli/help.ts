// Help texts, all derived from the table of settings.
import { type Command, type Group, nameOf, type Setting } from './settings/setting.ts'
import { table } from './settings/settings.ts'

const titles: Record<Group, string> = {
  http: 'HTTP',
  model: 'Model and tokenizer',
  engine: 'Engine',
  mock: 'Mock engine (those that SGLang has too are also passed to SGLang)',
  worker: 'Worker',
  diffusion: 'Images and videos (of serve)',
  vision: 'Pictures encoded apart from the language model',
  parsers: 'Parsers (accepted and checked; not yet in effect)',
  routing: 'Routing over several workers (of serve and frontend)',
  admission: 'Waiting and refusal (of serve and frontend)',
  disaggregation: 'Prefill and decode apart (of serve and frontend)',
  discovery: 'How processes find each other',
  planes: 'How requests and events travel between processes',
  lifetime: 'Shutdown',
  files: 'Files and the model hub',
  compat: "Further words of Dynamo's, accepted without effect",
  later: 'Refused in this version, with a clear message',
}

/** The list of commands. */
export function overview(commands: readonly { name: string; summary: string }[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length)) + 2
  const lines = commands.map(({ name, summary }) => `  ${name.padEnd(width)}${summary}`)
  return [
    'dynamo-sglang: an OpenAI API in front of SGLang engines, in one executable',
    '',
    'Usage: dynamo-sglang COMMAND [flags]',
    '',
    ...lines,
    '',
    'dynamo-sglang serve --model-path Qwen/Qwen3-0.6B     serve a model with SGLang',
    'dynamo-sglang serve                                  try the server without a GPU',
    'dynamo-sglang serve --engine mock --workers 4        four workers behind one router',
    'dynamo-sglang serve --image-diffusion-worker         images with FLUX.1-dev; --video-generation-worker: videos with Wan2.1',
    'dynamo-sglang frontend                               HTTP and router; then, as often as you like:',
    'dynamo-sglang worker --model-path Qwen/Qwen3-0.6B    an engine for it, found by itself on this machine',
    'dynamo-sglang help serve                             every flag',
    '',
  ].join('\n')
}

/** Every flag of a command, by group. */
export function settingsHelp(command: Command, summary: string): string {
  const lines = [
    `dynamo-sglang ${command}: ${summary}`,
    '',
    `Usage: dynamo-sglang ${command} [flags]${command === 'frontend' ? '' : ' [any flag of SGLang, passed on as it is]'}`,
    '',
    '--flag VALUE and --flag=VALUE are the same; on/off flags have a --no- form. Environment variables stand in brackets.',
  ]
  for (const [group, settings] of byGroup()) {
    const own = settings.filter((setting) => !setting.hidden && (setting.commands?.includes(command) ?? true))
    if (own.length === 0) continue
    lines.push('', `${titles[group]}:`)
    for (const setting of own) lines.push(`  ${spelling(setting)}`, ...wrap(describe(setting), 100).map((line) => `      ${line}`))
  }
  return `${lines.join('\n')}\n`
}

/** The same as a Markdown table, for the README. */
export function settingsTable(): string {
  const lines = ['| flag | variable | default | what it does |', '|---|---|---|---|']
  for (const [, settings] of byGroup()) {
    for (const setting of settings) {
      if (setting.hidden) continue
      const flags = setting.flags.map((flag) => `\`${flag}\``).join(' ')
      const doc = `${setting.doc}${mark(setting)}`
      lines.push(`| ${flags} | ${setting.env ? `\`${setting.env}\`` : ''} | ${defaultText(setting)} | ${doc.replaceAll('|', '\\|')} |`)
    }
  }
  return `${lines.join('\n')}\n`
}

function byGroup(): [Group, Setting[]][] {
  const groups = new Map<Group, Setting[]>()
  for (const setting of Object.values(table) as Setting[]) groups.set(setting.group, [...(groups.get(setting.group) ?? []), setting])
  return [...groups]
}

function spelling(setting: Setting): string {
  const flags = setting.flags.join(', ')
  const value = setting.kind === 'flag' ? '' : ` ${setting.kind === 'text' || setting.kind === 'list' ? 'VALUE' : 'N'}`
  const env = setting.env ? `[${setting.env}]` : ''
  return [flags === '' ? '' : flags + value, env].filter(Boolean).join('  ')
}

function describe(setting: Setting): string {
  const few = setting.values && setting.values.length <= 12 ? ` One of: ${setting.values.join(', ')}.` : ''
  const value = defaultText(setting)
  return `${setting.doc}.${few}${value === '' ? '' : ` Default: ${value}.`}`
}

function defaultText(setting: Setting): string {
  if (setting.kind === 'flag') return setting.default === true ? 'on' : ''
  if (setting.default === undefined || setting.default === '') return ''
  return Array.isArray(setting.default) ? '' : String(setting.default)
}

function mark(setting: Setting): string {
  if (setting.state === 'refused') return ' (refused in this version)'
  if (setting.deprecated !== undefined) return ` (deprecated: ${setting.deprecated})`
  if (setting.state === 'reserved') return ' (accepted, not yet in effect)'
  return setting.shared && nameOf(setting) !== '--config' ? ' (also passed to SGLang)' : ''
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = ['']
  for (const word of text.split(' ')) {
    const last = lines[lines.length - 1]!
    if (last !== '' && last.length + word.length + 1 > width) lines.push(word)
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`
  }
  return lines
}
